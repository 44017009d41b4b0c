extension RunPage {
  static let style = """
    :root { color-scheme: light dark; --ink: #1f2328; --quiet: #59636e; --line: #d8dee4; --soft: #f6f8fa; --paper: #fff; }
    body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
      font-family: system-ui, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif; }
    main { max-width: 840px; margin: 0 auto; padding: 24px 16px 48px; }
    h1 { font-size: 28px; margin: 0 0 4px; overflow-wrap: anywhere; }
    h2 { font-size: 20px; margin: 40px 0 12px; border-top: 1px solid var(--line); padding-top: 20px; }
    p { margin: 8px 0; overflow-wrap: anywhere; }
    .state, .note, footer, dt { color: var(--quiet); }
    .result { font-size: 18px; margin: 16px 0; padding: 12px 16px; background: var(--soft); border-radius: 8px; }
    figure { margin: 16px 0; }
    svg { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px;
      box-sizing: border-box; }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
    th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
    th { font-weight: 600; color: var(--quiet); white-space: normal; vertical-align: bottom; }
    .text { text-align: left; }
    .marked td { background: var(--soft); font-weight: 600; }
    dl { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 4px 16px; margin: 12px 0; font-size: 14px; }
    dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
    .samples dd { white-space: pre-wrap; font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace;
      font-size: 13px; background: var(--soft); border-radius: 6px; padding: 6px 10px; }
    .samples dt { padding-top: 6px; }
    .samples b { color: var(--quiet); font-weight: 400; }
    code { display: block; background: var(--soft); border-radius: 6px; padding: 8px 12px; margin-top: 2px; font-size: 13px;
      font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace; overflow-wrap: anywhere; }
    .command { font-size: 14px; color: var(--quiet); }
    .command code { color: var(--ink); }
    footer { margin-top: 40px; font-size: 13px; border-top: 1px solid var(--line); padding-top: 12px; }
    @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --quiet: #9198a1; --line: #3d444d; --soft: #151b23; --paper: #0d1117; }
    \(darkCharts)
    }
    """

  /// Charts carry their colors themselves, so that they also stand alone; in the dark each is changed for another.
  private static let darkCharts = ChartDrawing.darkColors.map { light, dark in
    "svg [fill=\"\(light)\"] { fill: \(dark); }\nsvg [stroke=\"\(light)\"] { stroke: \(dark); }"
  }.joined(separator: "\n")
}
