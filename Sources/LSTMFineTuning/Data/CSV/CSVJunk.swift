/// Words by which rows below a table are known.
enum CSVSummary {
  /// These stand before other words, too.
  private static let beginnings = [
    "total", "grand total", "subtotal", "sum", "summe", "gesamt", "average", "mean", "mittelwert", "durchschnitt",
    "median", "source", "sources", "quelle", "quellen", "note", "notes", "footnote", "footnotes", "copyright", "©",
    "(c)",
    "end of", "end", "totale", "moyenne", "somme", "totaux", "media", "promedio", "suma", "fuente", "fonte", "minimum",
    "maximum", "min", "max", "count", "anzahl", "std", "stddev", "standard deviation", "variance", "hinweis", "stand",
    "generated", "exported", "downloaded", "last updated", "n =", "legend", "remark", "remarks", "*",
  ]

  /// Whether a row that begins so sums up the rows above it, or tells of them.
  static func isSummary(_ text: String) -> Bool {
    let text = text.lowercased()
    return beginnings.contains { word in
      guard text.hasPrefix(word) else { return false }
      guard let next = text.dropFirst(word.count).first, let last = word.last, last.isLetter else { return true }
      return !next.isLetter && !next.isNumber && next != "_"
    }
  }

  /// Whether a text is words, not a date, a number or what is left of them.
  static func isSentence(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first(where: { $0 != "\"" && $0 != " " }) else { return false }
    return !("0"..."9" ~= first || first == "-" || first == "+" || first == ".")
      && text.unicodeScalars.contains { $0.properties.isAlphabetic }
  }
}

/// What lines that are no data begin with.
enum CSVComment {
  static let marks = ["#", "%", "//"]

  /// The mark at the start of a line or its first cell.
  static func mark(of text: String) -> String? {
    let text = text.drop { $0 == "\"" || $0 == " " || $0 == "\t" }
    // "#N/A" and the like are values.
    guard let mark = marks.first(where: { text.hasPrefix($0) }) else { return nil }
    let rest = text.dropFirst(mark.count).prefix(4).uppercased()
    return mark == "#" && ["N/A", "NV", "NA", "DIV/", "VALU", "WERT", "REF!", "NAME", "NUM!", "NULL"].contains(rest)
      ? nil : mark
  }
}

/// Units of measurement, as they stand below names of columns.
enum CSVUnit {
  private static let known: Set<String> = [
    "c", "°c", "degc", "deg c", "deg_c", "celsius", "f", "degf", "deg f", "fahrenheit", "k", "kelvin", "m", "mm", "cm",
    "km", "in", "inch", "inches", "ft", "feet", "meter", "meters", "metres", "m/s", "ms-1", "m s-1", "km/h", "kmh",
    "mph",
    "kt", "kts", "kn", "knots", "hpa", "pa", "kpa", "mbar", "mb", "bar", "psi", "mmhg", "inhg", "%", "percent", "pct",
    "w",
    "kw", "mw", "gw", "wh", "kwh", "mwh", "gwh", "w/m2", "w/m^2", "w m-2", "j", "kj", "mj", "kcal", "v", "mv", "kv",
    "volt", "volts", "a", "ma", "amp", "amps", "hz", "khz", "mhz", "ghz", "ms", "s", "sec", "secs", "second", "seconds",
    "min", "mins", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days", "g", "kg", "mg", "t", "ton",
    "tons",
    "tonnes", "lb", "lbs", "ug/m3", "mg/l", "mg/m3", "ppm", "ppb", "l", "ml", "m2", "m3", "m3/s", "m^3/s", "m3/h",
    "l/s",
    "l/min", "cfs", "cms", "mm/d", "mm/day", "mm/h", "usd", "eur", "gbp", "chf", "jpy", "inr", "deg", "degree",
    "degrees",
    "rad", "lux", "lx", "db", "dba", "dbm", "count", "counts", "pcs", "unit", "units", "number", "n", "nm", "rpm",
    "bpm",
    "1/min", "avg", "smp", "max", "tot", "std", "ohm", "ph", "ntu", "float", "int", "integer", "double", "numeric",
  ]

  /// Whether a text is most likely a unit.
  static func isUnit(_ text: String) -> Bool {
    let text = text.lowercased()
    guard !text.isEmpty, text.count <= 24 else { return false }
    for (open, close) in [("[", "]"), ("(", ")"), ("<", ">"), ("{", "}")]
    where text.hasPrefix(open) && text.hasSuffix(close) { return true }
    if known.contains(text) { return true }
    return !text.contains(where: \.isNumber)
      && text.unicodeScalars.contains { "°µμ²³%‰€$£¥Ω".unicodeScalars.contains($0) }
  }
}
