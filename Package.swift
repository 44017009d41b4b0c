// swift-tools-version: 6.1
import PackageDescription

// The optimizer would take half of a release build's time on the tests themselves, and nothing asks how fast they are:
// scripts/test sets this. Without it there are no unsafe flags.
let testSettings: [SwiftSetting] =
  Context.environment["LSTM_FT_UNOPTIMIZED_TESTS"] == nil ? [] : [.unsafeFlags(["-Onone"])]

// Each is one file, and the tests run it.
let examples = ["ActivityExample", "AnomalyExample", "ForecastExample", "MeterExample", "TaggerExample"]

let package = Package(
  name: "lstm-ft",
  platforms: [.macOS(.v14)],
  products: [
    .library(name: "FileIO", targets: ["FileIO"]),
    .library(name: "HDF5", targets: ["HDF5"]),
    .library(name: "LSTMCheckpoints", targets: ["LSTMCheckpoints"]),
    .library(name: "LSTMLayers", targets: ["LSTMLayers"]),
    .library(name: "LSTMFineTuning", targets: ["LSTMFineTuning"]),
    .library(name: "LSTMReports", targets: ["LSTMReports"]),
    .executable(name: "lstm-ft", targets: ["lstm-ft"]),
    .executable(name: "lstm-bench", targets: ["lstm-bench"]),
  ],
  traits: [
    .trait(
      name: "HDF5Writing",
      description: "Writing HDF5, and reading it through libhdf5 in a process of its own. HDF5 is read without libhdf5."
    ),
    .default(enabledTraits: ["HDF5Writing"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    .systemLibrary(
      name: "CHDF5", pkgConfig: "hdf5",
      providers: [.apt(["libhdf5-dev"]), .brew(["hdf5"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .target(name: "CFileIO"),
    .target(name: "FileIO", dependencies: ["CFileIO", "CZlib"]),
    .target(name: "HDF5", dependencies: [.target(name: "CHDF5", condition: .when(traits: ["HDF5Writing"])), "FileIO"]),
    .target(name: "LSTMCheckpoints", dependencies: ["HDF5", "FileIO"]),
    .target(name: "CLSTMKernels"),
    .target(name: "LSTMLayers", dependencies: ["LSTMCheckpoints", "CLSTMKernels", "FileIO"]),
    .target(name: "LSTMFineTuning", dependencies: ["LSTMLayers", "LSTMCheckpoints", "FileIO"]),
    .target(name: "LSTMReports", dependencies: ["LSTMFineTuning", "LSTMCheckpoints", "FileIO"]),
    .executableTarget(
      name: "lstm-ft",
      dependencies: [
        "LSTMReports", "LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints", "HDF5", "FileIO",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "lstm-bench",
      dependencies: [
        "LSTMLayers", "LSTMCheckpoints", "LSTMFineTuning", "FileIO",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "SeedExample", dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints"],
      path: "Examples/SeedExample"),
    .executableTarget(
      name: "FineTuneExample", dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints"],
      path: "Examples/FineTuneExample"),
    .executableTarget(
      name: "PredictExample", dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints"],
      path: "Examples/PredictExample"),
    .executableTarget(
      name: "RecipeExample", dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints"],
      path: "Examples/RecipeExample"),
    .executableTarget(
      name: "ConvertExample", dependencies: ["LSTMCheckpoints"], path: "Examples/ConvertExample"),
    .target(
      name: "TestSupport", dependencies: ["LSTMLayers", "LSTMCheckpoints", "HDF5", "FileIO"], path: "Tests/TestSupport"),
    .executableTarget(name: "hdf5-check", dependencies: ["HDF5", "FileIO"], path: "Tests/hdf5-check"),
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .target(
      name: "TrainingSupport",
      dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints", "FileIO", "CAllocations"],
      path: "Tests/TrainingSupport"),
    .testTarget(
      name: "FileIOTests", dependencies: ["FileIO", "CFileIO", "CZlib", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "HDF5Tests", dependencies: ["HDF5", "CHDF5", "FileIO", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "LSTMCheckpointsTests", dependencies: ["LSTMCheckpoints", "HDF5", "FileIO", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "LSTMLayersTests", dependencies: ["LSTMLayers", "CLSTMKernels", "TestSupport", "CAllocations"],
      swiftSettings: testSettings),
    .testTarget(
      name: "LSTMFineTuningTests", dependencies: ["LSTMFineTuning", "LSTMReports", "TestSupport", "TrainingSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "LSTMReportsTests", dependencies: ["LSTMReports", "TestSupport", "TrainingSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "lstm-benchTests", dependencies: ["lstm-bench", "LSTMLayers", "LSTMCheckpoints"],
      swiftSettings: testSettings),
    .testTarget(
      name: "lstm-ftTests",
      dependencies: ["lstm-ft", "TestSupport"] + examples.map { .target(name: $0) }, exclude: ["Snapshots"],
      swiftSettings: testSettings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
package.targets += examples.map {
  .executableTarget(
    name: $0, dependencies: ["LSTMFineTuning", "LSTMLayers", "LSTMCheckpoints"], path: "Examples/" + $0)
}

// What is not in the libraries starts no threads: the thread sanitizer has nothing to see there.
if Context.environment["LSTM_FT_LIBRARIES_ONLY"] != nil {
  let isTool = { (name: String) in name.hasPrefix("lstm-") || name.hasSuffix("Example") }
  package.dependencies = []
  package.products.removeAll { isTool($0.name) }
  package.targets.removeAll { isTool($0.name) }
}
