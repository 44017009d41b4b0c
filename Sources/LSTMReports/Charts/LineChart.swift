/// A line chart that draws itself as SVG, without any dependency.
///
/// Series are told apart by color (Okabe and Ito's palette, made for color-blind readers) and by dash. The
/// picture carries its own white background, a text alternative for screen readers and no fonts or scripts.
///
///     var chart = LineChart(title: "Loss", xLabel: "epoch", yLabel: "mean squared error")
///     chart.series = [.init("train", y: trainLosses), .init("validation", y: validationLosses)]
///     chart.annotations = [.point(x: 7, y: 0.12, "best")]
///     let text = chart.svg()
public struct LineChart: Sendable {
  /// One line through points, in the order given.
  public struct Series: Sendable {
    /// A point in data units. A y that is not finite leaves a gap.
    public struct Point: Sendable, Equatable {
      /// The horizontal position.
      public var x: Double
      /// The value there.
      public var y: Double

      /// A point at (`x`, `y`).
      public init(x: Double, y: Double) {
        self.x = x
        self.y = y
      }
    }

    /// The name in the legend.
    public var name: String
    /// The points; x should ascend.
    public var points: [Point]

    /// A series of the given name and points.
    public init(_ name: String, points: [Point]) {
      self.name = name
      self.points = points
    }

    /// A series over whole numbers.
    ///
    /// - Parameters:
    ///   - name: The name in the legend.
    ///   - y: The values; NaN leaves a gap.
    ///   - start: The first value's x.
    public init(_ name: String, y: [some BinaryFloatingPoint], startingAt start: Int = 0) {
      self.init(name, points: y.enumerated().map { Point(x: Double(start + $0.offset), y: Double($0.element)) })
    }

    /// A series of pairs; the longer of the two arrays is cut to the shorter.
    public init(_ name: String, x: [Double], y: [some BinaryFloatingPoint]) {
      self.init(name, points: zip(x, y).map { Point(x: $0, y: Double($1)) })
    }
  }

  /// A remark in the chart.
  public struct Annotation: Sendable {
    enum Place: Sendable {
      case point(x: Double, y: Double)
      case verticalLine(x: Double)
    }

    let place: Place
    let text: String

    /// A ring around a point, with text beside it.
    public static func point(x: Double, y: Double, _ text: String) -> Annotation {
      Annotation(place: .point(x: x, y: y), text: text)
    }

    /// A dotted vertical line, with text at its top.
    public static func verticalLine(x: Double, _ text: String) -> Annotation {
      Annotation(place: .verticalLine(x: x), text: text)
    }
  }

  /// How values become heights.
  public enum Scale: Sendable {
    /// Equal differences take equal room.
    case linear
    /// Equal factors take equal room. Values that are not positive leave gaps; without any positive
    /// value the chart is linear.
    case logarithmic
  }

  /// The title above the chart.
  public var title: String
  /// A line below the title; may be empty.
  public var subtitle: String
  /// The horizontal axis' name and unit; may be empty.
  public var xLabel: String
  /// The vertical axis' name and unit; may be empty.
  public var yLabel: String
  /// The lines, drawn in order.
  public var series: [Series]
  /// Remarks on points and places.
  public var annotations: [Annotation]
  /// The vertical axis' scale.
  public var yScale: Scale
  /// The picture's width in pixels, at least 240.
  public var width: Int
  /// The picture's height in pixels, at least 180.
  public var height: Int

  /// A chart; everything but the title may be set later.
  public init(
    title: String, subtitle: String = "", xLabel: String = "", yLabel: String = "", series: [Series] = [],
    annotations: [Annotation] = [], yScale: Scale = .linear, width: Int = 840, height: Int = 480
  ) {
    self.title = title
    self.subtitle = subtitle
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.annotations = annotations
    self.yScale = yScale
    self.width = width
    self.height = height
  }
}
