import FileIO
import LSTMFineTuning
import Testing

@testable import lstm_ft

/// Schedules, adapters and heads as they are written on the command line.
@Suite struct TrainingTextTests {
  @Test(arguments: [
    ("constant", Schedule.Shape.constant), ("linear:0.1", .linear(final: 0.1)), ("cosine", .cosine()),
    ("slanted-triangle:0.2,16", .slantedTriangle(cut: 0.2, ratio: 16)), ("one-cycle", .oneCycle()),
    ("step:2,0.5", .step(epochs: 2, factor: 0.5)), ("plateau", .plateau()),
  ])
  func schedules(_ text: String, _ shape: Schedule.Shape) throws {
    #expect(try Schedule(text, warmUp: 3) == Schedule(shape, warmUp: 3))
  }

  @Test(arguments: [
    ("cosin", "expected constant, linear"), ("linear:x", "expected numbers behind the colon"),
    ("step:0", "expected a whole number of epochs"), ("step:1,2", "a factor above 0 and up to 1"),
    ("one-cycle:1.5", "a part from 0 to below 1"), ("constant:1", "expected no numbers"),
    ("cosine:1,2", "at most 1 number"),
    ("linear:-1", "a final factor of at least 0"),
  ])
  func whatIsNoScheduleIsExplained(_ text: String, _ expected: String) {
    do {
      _ = try Schedule(text)
      Issue.record("\(text) is accepted")
    } catch {
      #expect(error.message.description.hasPrefix("schedule \(text): "), "\(error.message)")
      #expect(error.message.contains(expected), "\(error.message)")
    }
  }

  @Test(arguments: [
    ("rank=8,alpha=16", 8, 16.0), ("alpha=0.5,rank=1", 1, 0.5), ("rank=4", 4, 4.0), ("rank=3,alpha=1e1", 3, 10.0),
  ])
  func optionsAreParsed(_ text: String, _ rank: Int, _ alpha: Double) throws {
    let lora = try LoRA(parsing: text, targets: ["layer1"])
    #expect(lora == LoRA(rank: rank, alpha: alpha, targets: ["layer1"]) && lora.scale == alpha / Double(rank))
  }

  @Test(arguments: [
    ("", "expected rank=NUMBER and alpha=NUMBER, found \"\""),
    ("8", "expected rank=NUMBER and alpha=NUMBER, found \"8\""),
    ("rank=8,", "expected rank=NUMBER and alpha=NUMBER, found \"\""),
    ("rank=8=9", "expected rank=NUMBER and alpha=NUMBER, found \"rank=8=9\""),
    ("rank=0", "expected a whole rank of at least 1, found \"0\""),
    ("rank=2.5", "expected a whole rank of at least 1, found \"2.5\""),
    ("rank=99999999999999999999", "expected a whole rank of at least 1, found \"99999999999999999999\""),
    ("rank=8,alpha=-1", "expected an alpha above 0, found \"-1\""),
    ("rank=8,alpha=nan", "expected an alpha above 0, found \"nan\""),
    ("rank=8,alpha=inf", "expected an alpha above 0, found \"inf\""),
    ("rank=8,alpha=", "expected an alpha above 0, found \"\""),
    ("rank=8,beta=1", "expected rank or alpha, found \"beta\""),
    ("rank=8,rank=8", "expected one rank, found \"rank=8\""),
    ("rank=8,alpha=1,alpha=2", "expected one alpha, found \"alpha=2\""), ("alpha=2", "there is no rank"),
  ])
  func whatIsNoOption(_ text: String, _ expected: String) {
    let error = #expect(throws: FineTuningError.self) { try LoRA(parsing: text) }
    #expect(error?.message == "lora \(text): \(expected)")
    #expect(error?.advice == ["for example lora rank=8,alpha=16"])
  }

  @Test(arguments: ["new", "new:9", "new:16777216"]) func aHeadIsParsed(_ text: String) throws {
    let size = text.split(separator: ":").dropFirst().first.flatMap { Int($0) }
    #expect(try HeadChoice(parsing: text) == .new(size: size))
  }

  @Test(arguments: [
    ("", "expected new, new:SIZE or keep"), ("old", "expected new, new:SIZE or keep"),
    ("new:9:2", "expected new, new:SIZE or keep"),
    ("New", "expected new, new:SIZE or keep"), ("new:", "expected a size from 1 to 16777216, found \"\""),
    ("new:0", "expected a size from 1 to 16777216, found \"0\""),
    ("new:-3", "expected a size from 1 to 16777216, found \"-3\""),
    ("new:nine", "expected a size from 1 to 16777216, found \"nine\""),
    ("new:99999999999999999999", "expected a size from 1 to 16777216, found \"99999999999999999999\""),
  ])
  func whatIsNoHead(_ text: String, _ expected: String) {
    let error = #expect(throws: FineTuningError.self) { try HeadChoice(parsing: text) }
    #expect(error?.message == "head \(text): \(expected)")
    #expect(error?.advice == ["for example head new:9"])
  }
}
