// The next day's temperatures, by the model that FineTuneExample leaves behind; its file says how to read the table.
//
//     swift run -c release PredictExample san-francisco.h5 fixtures/demo/sf-temps.csv

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let arguments = Array(CommandLine.arguments.dropFirst())
let model = try LSTMModel(Checkpoint(path: arguments.first ?? "san-francisco.h5"))
let table = try CSVTable(contentsOf: arguments.dropFirst().first ?? "fixtures/demo/sf-temps.csv")

let series = try SeriesData(table, readAs: model.preprocessing)
let forecast = try model.predict(series)
for (hour, degrees) in forecast.values.enumerated() { print("in \(hour + 1) hours:", degrees, "degrees") }
