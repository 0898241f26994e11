// Builds the browser libraries into static/vendor: one file per use, with the licences beside them.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..");
const out = join(here, "static", "vendor");
const modules = join(root, "node_modules");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

await copyFile(join(modules, "htmx.org", "dist", "htmx.min.js"), join(out, "htmx.js"));
await copyFile(join(modules, "htmx-ext-sse", "dist", "sse.min.js"), join(out, "htmx-sse.js"));

const shared = { bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none", logLevel: "warning", nodePaths: [modules] };
await build({ ...shared, entryPoints: { charts: join(here, "bundles", "charts.js"), graphs: join(here, "bundles", "graphs.js") }, outdir: out });

const licences = ["htmx.org", "htmx-ext-sse", "echarts", "zrender", "cytoscape", "tslib"];
let text = "";
for (const name of licences) {
  const about = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
  text += `${name} ${about.version} (${about.license})\n`;
  for (const file of ["LICENSE", "LICENSE.txt", "license", "NOTICE"]) {
    try {
      text += `\n${await readFile(join(modules, name, file), "utf8")}\n`;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  text += `\n${"-".repeat(78)}\n`;
}
await writeFile(join(out, "LICENCES.txt"), text);
