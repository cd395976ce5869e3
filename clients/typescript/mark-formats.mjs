// Tells Node and TypeScript which of the two builds is CommonJS.
import { writeFileSync } from "node:fs";

writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
