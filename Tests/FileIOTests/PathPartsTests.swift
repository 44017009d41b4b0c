import FileIO
import Testing

@Suite("Parts of paths") struct PathPartsTests {
  @Test(
    "the folder of a path as it is written",
    arguments: [
      ("", ""), ("a", ""), ("é", ""), ("model.h5", ""), (".", ""), ("a/", ""), ("a/b", "a"), ("a//b//", "a"),
      ("/", "/"), ("/a", "/"),
      ("//a", "/"), ("/a/b c", "/a"), ("../é/m.h5", "../é"),
    ])
  func folder(path: String, folder: String) { #expect(folderPart(ofPath: path) == folder) }
}
