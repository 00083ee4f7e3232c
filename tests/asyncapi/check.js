// node check.js DOCUMENT.json: is it valid AsyncAPI 3.0.0? Exit code 1 and the first errors when not.
const { readFileSync } = require("node:fs");
const Ajv = require("ajv");
const formats = require("ajv-formats");

const read = (path) => JSON.parse(readFileSync(path, "utf-8"));
// The published schema brings its own copy of JSON Schema's meta-schema.
const ajv = formats(new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false }));
const valid = ajv.compile(read(require.resolve("@asyncapi/specs/schemas/3.0.0.json")));
if (!valid(read(process.argv[2]))) {
  for (const error of valid.errors.slice(0, 20)) console.error(`${error.instancePath}: ${error.message}`);
  process.exitCode = 1;
}
