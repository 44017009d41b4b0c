import FileIO

/// Said of a model that is computed here with more digits than there.
func kerasComputesInHalf(_ layers: [String]) -> Message {
  "Keras computes \(nameList(layers)) with 16 bits (its dtype policy), here it is 32: outputs differ by what 16 bits lose"
}

/// What is assumed beside each single thing.
let kerasIsNoOther: Message = "none of the other networks that often have such layers"

func kerasOthers(_ lines: [String]) -> Message {
  lines.dropFirst().reduce("\(.model, lines.first ?? "")" as Message) { $0 + " or " + "\(.model, $1)" }
}
