// swift-tools-version: 6.1
import PackageDescription

// Built by scripts/fuzz. Apart from the package itself, which has no unsafe flags.
let package = Package(
  name: "fuzz",
  platforms: [.macOS(.v14)],
  // Only what reads is tried, for which libhdf5 is not needed.
  dependencies: [.package(name: "lstm-ft", path: "..", traits: [])],
  targets: [
    .executableTarget(
      name: "Fuzz",
      dependencies: ["FileIO", "HDF5", "LSTMCheckpoints", "LSTMFineTuning", "LSTMReports"].map {
        .product(name: $0, package: "lstm-ft")
      },
      // libFuzzer has the main function.
      swiftSettings: [.unsafeFlags(["-parse-as-library"])])
  ],
  swiftLanguageModes: [.v6]
)
