import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite("What no weight needs does not block an HDF5 file")
struct UnneededObjectsTests {
  private func open(_ name: String) throws -> Checkpoint {
    try Checkpoint(path: fixtures.appendingPathComponent("hdf5-reader/" + name).path)
  }

  @Test func aForeignFilterAndADanglingLinkAreNamed() throws {
    let checkpoint = try open("unneeded.h5")
    #expect(checkpoint.skipped.map(\.name).sorted() == ["gone", "history/loss"])
    #expect(checkpoint.skipped.first { $0.name == "gone" }?.cause == .absent)
    let plan = try LoadPlan(checkpoint)
    #expect(plan.report.applied.count == 6)
    let model = try plan.imported()
    #expect(model.tensors.count == 6)
    let notes = plan.report.notes.map(\.description)
    #expect(notes.contains { $0.contains("history/loss was not looked at") && $0.contains("filter 32015") })
    #expect(notes.contains { $0.contains("gone was not looked at") && $0.contains("soft link to /nowhere") })
  }

  @Test func besideAWeightItIsAnError() throws {
    let plan = try LoadPlan(open("beside.h5"))
    let extra = try #require(plan.report.unexpected.first { $0.source == "fc/bias" })
    #expect(!extra.isAllowed)
    #expect(extra.reason.description.contains("filter 32015"))
    #expect(throws: CheckpointError.self) { try plan.imported() }
    let allowed = try LoadPlan(open("beside.h5"), options: LoadOptions(allowedUnexpected: ["fc/bias"]))
    #expect(allowed.report.unexpected.first { $0.source == "fc/bias" }?.isAllowed == true)
    #expect(!allowed.report.notes.contains { $0.description.contains("matches no tensor") })
  }

  @Test func aReferenceOrDataThatCannotBeReadIsNamed() throws {
    let checkpoint = try open("unneeded.h5")
    let error = #expect(throws: CheckpointError.self) { try checkpoint.requireReadable(["history/loss"]) }
    #expect(error?.message.description.contains("filter 32015") == true)
    try checkpoint.requireReadable(["lstm/weight_ih_l0"])
  }

  /// A file of which nothing can be read is not called empty.
  @Test func whereNothingCanBeReadTheReasonIsSaid() throws {
    var checkpoint = try open("unneeded.h5")
    checkpoint.tensors = []
    let error = #expect(throws: CheckpointError.self) { try LoadPlan(checkpoint) }
    let message = error?.message.description ?? ""
    #expect(message.contains("none of its tensors can be read; history/loss: ") && message.contains("filter 32015"))
  }
}
