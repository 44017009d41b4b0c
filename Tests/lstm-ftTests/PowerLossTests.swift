import Foundation
import LSTMCheckpoints
import Testing

#if DEBUG
  /// A run loses power after each of its calls: only what was synchronized by then survives. What is left is worked out from
  /// the journal of a run's calls, put into a folder and gone on with.
  @Suite(.serialized) struct PowerLossTests {
    /// A file or a folder, whatever its names.
    private final class Node {
      let isFolder: Bool
      var bytes: [UInt8]
      /// What is on the device.
      var safe: [UInt8]

      init(isFolder: Bool, _ bytes: [UInt8] = []) {
        self.isFolder = isFolder
        self.bytes = bytes
        safe = bytes
      }
    }

    /// Which names a device keeps of those that no folder's synchronization has made sure of.
    private enum Survival: String, CaseIterable {
      /// None of them.
      case onlySynchronized
      /// All of them, before the contents of the files.
      case namesFirst
    }

    /// A folder as the running program sees it, and as the device has it.
    private struct Disk {
      let root: String
      var names: [String: Node] = [:]
      var safeNames: [String: Node] = [:]
      private var open: [Int: (name: String, node: Node)] = [:]
      /// What files had in them when they were put in place.
      private(set) var versions: [String: [[UInt8]]] = [:]

      init(_ place: Workplace) throws {
        root = place.url.resolvingSymlinksInPath().path
        for (name, data) in try place.contents() {
          let isFolder = name.hasSuffix("/")
          names[isFolder ? String(name.dropLast()) : name] = Node(isFolder: isFolder, [UInt8](data))
        }
        names[""] = Node(isFolder: true)
        safeNames = names
      }

      private func name(_ path: String) -> String {
        if path == "." || path == root { return "" }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : path
      }

      private static func folder(_ name: String) -> String {
        name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
      }

      /// Does what a line of the journal says.
      mutating func replay(_ words: [String]) throws {
        func number(_ place: Int) throws -> Int { try #require(Int(words[place])) }
        switch words[0] {
        case "create", "open":
          let name = name(words[2])
          // Elsewhere lie private folders for temporary files, whose making is not in the journal.
          if names[name] == nil { names[name] = Node(isFolder: words[0] == "open") }
          open[try number(1)] = names[name].map { (name, $0) }
        case "folder": names[name(words[1])] = Node(isFolder: true)
        case "write":
          let (node, offset) = (try #require(open[try number(1)]).node, try number(2))
          let digits = Array(words[3].utf8)
          let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
          }
          let missing = offset + bytes.count - node.bytes.count
          if missing > 0 { node.bytes += [UInt8](repeating: 0, count: missing) }
          node.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        case "truncate":
          let (node, length) = (try #require(open[try number(1)]).node, try number(2))
          node.bytes =
            Array(node.bytes.prefix(length)) + [UInt8](repeating: 0, count: max(0, length - node.bytes.count))
        case "rename":
          let (old, new) = (name(words[1]), name(words[2]))
          let node = try #require(names[old])
          names[old] = nil
          names[new] = node
          versions[new, default: []].append(node.bytes)
        case "synchronize":
          let (name, node) = try #require(open[try number(1)])
          guard node.isFolder else {
            node.safe = node.bytes
            return
          }
          for (other, node) in names where !other.isEmpty && Self.folder(other) == name { safeNames[other] = node }
          for other in safeNames.keys where !other.isEmpty && Self.folder(other) == name && names[other] == nil {
            safeNames[other] = nil
          }
        default: Issue.record("a line of the journal begins with \(words[0])")
        }
      }

      /// What was put in place, and would be another file after a power loss.
      var unsafePlaces: [String] { versions.keys.filter { safeNames[$0] !== names[$0] }.sorted() }

      /// Files and folders (nil) after a power loss.
      func survivors(_ survival: Survival) -> [String: [UInt8]?] {
        let left = survival == .namesFirst ? names : safeNames
        func isReachable(_ name: String) -> Bool {
          name.isEmpty || left[name] != nil && isReachable(Self.folder(name))
        }
        var result: [String: [UInt8]?] = [:]
        // What lies elsewhere is none of the run's files.
        for (name, node) in left where !name.isEmpty && !name.hasPrefix("/") && isReachable(name) {
          result[name] = .some(node.isFolder ? nil : node.safe)
        }
        return result
      }
    }

    private static func put(_ files: [String: [UInt8]?], in place: Workplace) throws {
      for name in try FileManager.default.contentsOfDirectory(atPath: place.url.path) {
        try FileManager.default.removeItem(atPath: place.path(name))
      }
      for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
        if let bytes { try place.write(name, Data(bytes)) } else { try place.makeFolder(name) }
      }
    }

    private static func weights(_ place: Workplace) throws -> [String: [UInt8]] {
      try Dictionary(uniqueKeysWithValues: place.checkpoint("out.h5").tensors.map { ($0.name, try $0.bytes()) })
    }

    /// By default eight of the moments are gone on from; LSTM_FT_FAULTS=all takes all of them.
    @Test(.timeLimit(.minutes(FaultTests.takesAll ? 120 : 10))) func whatIsLeftIsWholeAndGoesOn() async throws {
      let place = try Workplace()
      try await FaultTests.prepare(place)
      // Beside the folder, which is looked at.
      let elsewhere = try Workplace()
      let begin = FaultTests.finetune.map { $0 == "1" ? "2" : $0 } + ["--save-every", "0.001"]
      // The output replaces an older one.
      try await succeeds(place, "import", "weights.h5", "-o", "out.h5")
      var disk = try Disk(place)
      let old = try #require(disk.names["out.h5"]).bytes
      let outcome = try await place.run(begin, environment: ["LSTM_FT_FAULT_JOURNAL": elsewhere.path("journal")])
      #expect(outcome.code == 0, "\(outcome.stderr)")
      let (expected, log) = (try Self.weights(place), try place.read("run/log.jsonl"))

      var seen: Set<[String: [UInt8]?]> = []
      var moments: [(label: String, files: [String: [UInt8]?])] = []
      let lines = try elsewhere.read("journal").split(separator: "\n").map {
        $0.split(separator: "\t").map(String.init)
      }
      for (number, words) in lines.enumerated() {
        if words[0] == "create" {
          #expect(disk.unsafePlaces.isEmpty, "before call \(number), creating \(words[2])")
        }
        try disk.replay(words)
        guard ["create", "folder", "rename", "synchronize"].contains(words[0]) else { continue }
        for survival in Survival.allCases {
          let files = disk.survivors(survival)
          guard seen.insert(files).inserted else { continue }
          let label = "\(survival), after call \(number), \(words[0])"
          moments.append((label, files))
          for (name, bytes) in files {
            guard let bytes, let versions = disk.versions[name] else { continue }
            #expect(versions.contains(bytes) || name == "out.h5" && bytes == old, "\(label): \(name)")
          }
          #expect(files["out.h5"] != nil, "\(label)")
        }
      }
      // What the program saw is what the replay says: nothing was written without the journal.
      for (name, data) in try place.contents() where !name.hasSuffix("/") {
        #expect(disk.names[name]?.bytes == [UInt8](data), "\(name)")
      }
      #expect((disk.versions["run/last.h5"] ?? []).count > 2 && moments.count > 20)

      let limit = FaultTests.takesAll ? moments.count : 8
      for index in 0..<limit {
        let (label, files) = moments[index * (moments.count - 1) / (limit - 1)]
        try Self.put(files, in: place)
        let isBegun = files["run/config.json"] != nil
        let again = try await place.run(isBegun ? ["finetune", "--resume", "run", "--threads", "2"] : begin)
        #expect(again.code == 0, "\(label): \(again.stderr)")
        guard again.code == 0 else { continue }
        #expect(try Self.weights(place) == expected, "\(label)")
        #expect(try place.read("run/log.jsonl") == log, "\(label)")
        let remains = try place.contents().keys.filter { $0.hasSuffix(".tmp") }
        #expect(remains.isEmpty, "\(label): \(remains)")
      }
    }
  }
#endif
