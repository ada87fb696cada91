// Builds the page into the Python package: `node build.mjs`. With --check: says whether what is committed is the same.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../src/hfgen/gateway/playground");
const BUNDLED = ["preact", "@preact/signals", "@preact/signals-core", "htm", "marked", "dompurify"];

async function bundled(entry) {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["chrome123", "firefox120", "safari17.5"],
    legalComments: "none", // licences.txt has them whole
  });
  return Buffer.from(outputFiles[0].contents);
}

function named(stem, suffix, bytes) {
  return `${stem}-${createHash("sha256").update(bytes).digest("hex").slice(0, 12)}.${suffix}`;
}

async function licences() {
  const parts = BUNDLED.map(async (name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    return `${name} ${version} (${license})\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`;
  });
  return Buffer.from((await Promise.all(parts)).join(`\n${"-".repeat(80)}\n\n`));
}

async function files() {
  const script = await bundled("src/main.js");
  const style = await bundled("style.css");
  const icon = await readFile(join(here, "icon.svg"));
  const names = {
    script: named("main", "js", script),
    style: named("style", "css", style),
    icon: named("icon", "svg", icon),
  };
  const page = (await readFile(join(here, "index.html"), "utf8")).replace(/{{(\w+)}}/g, (_, name) => names[name]);
  return new Map([
    ["index.html", Buffer.from(page)],
    [names.script, script],
    [names.style, style],
    [names.icon, icon],
    ["licences.txt", await licences()],
  ]);
}

async function check(built) {
  const committed = await readdir(target).catch(() => []);
  const names = new Set([...built.keys(), ...committed]);
  const differing = [];
  for (const name of names) {
    const bytes = await readFile(join(target, name)).catch(() => null);
    if (!bytes || !built.get(name)?.equals(bytes)) differing.push(name);
  }
  if (!differing.length) return;
  console.error(`not what web/ builds: ${differing.sort().join(", ")}; run node build.mjs and commit`);
  process.exitCode = 1;
}

const built = await files();
if (process.argv.includes("--check")) {
  await check(built);
} else {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const [name, bytes] of built) {
    await writeFile(join(target, name), bytes);
    console.log(`${String(bytes.length).padStart(8)}  ${name}`);
  }
}
