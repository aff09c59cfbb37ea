/**
 * Build what pages load: `npm run build`. The explorer is one file in which the program of its worker travels as text.
 * Each live figure of a chapter is a small file of its own, with a static twin.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const STATIC = "../book/_static/";
/** What the extension `live` of the publisher puts into pages. */
const TWINS = "../book/_live/";
/** The live figures, by the names of their files in `src/live/figures`. */
const FIGURES = readdirSync("src/live/figures").map((name) => name.replace(".ts", "")).sort();
const common = { bundle: true, format: "iife", minify: true, target: "es2022", write: false, legalComments: "none" };

/** A digest of what the bundles are made from; a test compares it with the digest in each of them. */
function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync("src", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`).sort();
  for (const name of ["build.mjs", "package.json", "package-lock.json", ...sources]) {
    hash.update(`${name}\n`).update(readFileSync(name));
  }
  return hash.digest("hex");
}

const banner = (what) => ({ js: `/*! Deep Limits, ${what}: MIT licence. Sources sha256 ${digest()}. */` });

function write(path, contents) {
  writeFileSync(path, contents);
  console.log(`${path}: ${(contents.length / 1000).toFixed(1)} kB`);
}

/** The worker draws no digits: it gets them without their pixels. */
const blind = {
  name: "blind",
  setup: ({ onLoad }) => onLoad({ filter: /digits\.json$/ }, ({ path }) => ({
    contents: JSON.stringify(JSON.parse(readFileSync(path)), (key, value) => (key === "pixels" ? undefined : value)), loader: "json",
  })),
};

async function explorer() {
  const worker = await build({ ...common, entryPoints: ["src/worker.ts"], plugins: [blind] });
  const page = await build({
    ...common,
    entryPoints: ["src/main.ts"],
    loader: { ".css": "text" },
    define: { WORKER_SOURCE: JSON.stringify(worker.outputFiles[0].text) },
    banner: banner("the live explorer"),
  });
  write(`${STATIC}explorer/explorer.js`, page.outputFiles[0].contents);
}

async function live() {
  for (const folder of [`${STATIC}live`, TWINS]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
  const pages = {};
  for (const name of FIGURES) {
    const stdin = (contents) => ({ contents: `import { figure } from "./figures/${name}"; ${contents}`, resolveDir: "src/live", loader: "ts" });
    const page = await build({ ...common, stdin: stdin('import { mount } from "./mount"; mount(figure);'), banner: banner(`live figure ${name}`) });
    write(`${STATIC}live/${name}.js`, page.outputFiles[0].contents);
    // The twin is drawn by the same program, here.
    const drawn = await build({ ...common, format: "esm", stdin: stdin('import { twin } from "./twin"; export const html = twin(figure); export { figure };') });
    const { figure, html } = await import(`data:text/javascript;base64,${Buffer.from(drawn.outputFiles[0].contents).toString("base64")}`);
    if (figure.name !== name || pages[figure.page]) throw new Error(`${name}: another name, or a second figure of ${figure.page}`);
    pages[figure.page] = name;
    write(`${TWINS}${name}.html`, html);
  }
  writeFileSync(`${TWINS}pages.json`, `${JSON.stringify(Object.fromEntries(Object.entries(pages).sort()), null, 1)}\n`);
  writeFileSync(`${STATIC}live/live.css`, readFileSync("src/live/live.css"));
}

await explorer();
await live();
