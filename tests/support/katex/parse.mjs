// Reads a list of formulas as JSON, prints what KaTeX has to say against each: an empty text where it has nothing.
import { readFileSync } from "node:fs";
import katex from "katex";

const formulas = JSON.parse(readFileSync(0, "utf8"));
const said = formulas.map((formula) => {
  try {
    katex.renderToString(formula, { throwOnError: true, strict: "error", displayMode: true });
    return "";
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(said));
