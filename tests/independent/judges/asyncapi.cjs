// Has the AsyncAPI project's own parser read documents: for each, what it says is wrong.
const { Parser } = require("@asyncapi/parser");

const ERROR = 0;

(async () => {
  const said = {};
  const asked = JSON.parse(require("fs").readFileSync(0));
  for (const [name, text] of Object.entries(asked)) {
    const found = await new Parser().validate(text);
    said[name] = found
      .filter((one) => one.severity === ERROR)
      .map((one) => `${one.path.join("/")}: ${one.message}`);
  }
  console.log(JSON.stringify(said));
})();
