/** Build the one file that a page loads: `npm run build`. The worker's program travels inside it as text. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const TARGET = "../book/_static/explorer/";
const common = { bundle: true, format: "iife", minify: true, target: "es2022", write: false };

/** A digest of what the bundle is made from; a test compares it with the digest in the bundle. */
function digest() {
  const hash = createHash("sha256");
  for (const name of ["build.mjs", "package.json", "package-lock.json", ...readdirSync("src").sort().map((name) => `src/${name}`)]) {
    hash.update(`${name}\n`).update(readFileSync(name));
  }
  return hash.digest("hex");
}

/** The worker draws no digits: it gets them without their pixels. */
const blind = {
  name: "blind",
  setup: ({ onLoad }) => onLoad({ filter: /digits\.json$/ }, ({ path }) => ({
    contents: JSON.stringify(JSON.parse(readFileSync(path)), (key, value) => (key === "pixels" ? undefined : value)), loader: "json",
  })),
};
const worker = await build({ ...common, entryPoints: ["src/worker.ts"], plugins: [blind] });
const page = await build({
  ...common,
  entryPoints: ["src/main.ts"],
  loader: { ".css": "text" },
  define: { WORKER_SOURCE: JSON.stringify(worker.outputFiles[0].text) },
  banner: { js: `/*! Deep Limits, the live explorer: MIT licence. Sources sha256 ${digest()}. */` },
  legalComments: "none",
});
writeFileSync(`${TARGET}explorer.js`, page.outputFiles[0].contents);
console.log(`${TARGET}explorer.js: ${(page.outputFiles[0].contents.length / 1000).toFixed(1)} kB`);
