import Foundation

/// How much memory this process may take.
package enum MachineMemory {
  /// The machine's memory, or the part of it that a container or a limit of the process leaves.
  package static let byteCount: Int = {
    var limits = [Int(clamping: ProcessInfo.processInfo.physicalMemory)]
    if let text = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8),
      let limit = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    {
      limits.append(limit)
    }
    var limit = rlimit()
    #if canImport(Glibc)
      let resources = [__rlimit_resource_t(RLIMIT_AS.rawValue), __rlimit_resource_t(RLIMIT_DATA.rawValue)]
    #else
      let resources = [RLIMIT_AS, RLIMIT_DATA]
    #endif
    for resource in resources where getrlimit(resource, &limit) == 0 { limits.append(Int(clamping: limit.rlim_cur)) }
    return limits.min() ?? .max
  }()

  /// Whether so many bytes, several times over, fit in three quarters of the memory.
  package static func holds(_ count: Int, times: Int = 1) -> Bool {
    let (bytes, overflows) = count.multipliedReportingOverflow(by: times)
    return !overflows && bytes <= byteCount / 4 * 3
  }
}
