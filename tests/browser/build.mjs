// Makes static/built/collector.js out of static/collector/: its modules one after the other, without what only joins them,
// and made small. The same sources give the same bytes, which are committed, so that building the program needs no Node.
// With --check it writes nothing and fails where the committed file is another.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { minify } from "terser";
import { WORDS } from "../../static/collector/words.js";

const STATIC = fileURLToPath(new URL("../../static/", import.meta.url));
export const BUILT = path.join(STATIC, "built/collector.js");

/** In the order that compresses best; the first to act comes last. */
const MODULES = ["clicks", "element", "contained", "forms", "hover", "device", "track", "exit", "page", "speed", "view", "outbox", "errors", "words", "options", "main"];

/** The modules one after the other. Their own names are distinct, or the whole would not parse; none may be left out. */
async function joined() {
  const folder = path.join(STATIC, "collector");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".js")).map((name) => name.replace(/\.js$/, ""));
  const missing = names.filter((name) => !MODULES.includes(name));
  if (missing.length) throw new Error(`static/collector/${missing[0]}.js has no place in MODULES of tests/browser/build.mjs`);
  const sources = await Promise.all(MODULES.map((name) => readFile(path.join(folder, `${name}.js`), "utf8")));
  // `let` throughout compresses better than two words; nothing is assigned that was constant, as the types are checked.
  const script = sources.join("").replace(/^import .*$/gm, "").replace(/^export /gm, "").replace(/\bconst\b/g, "let");
  return script.replace(/\bon\('(\w+)'\)/g, (_, word) => `(options & ${bit(word)})`);
}

/** What a word's option adds to the sum. @param {string} word */
function bit(word) {
  const place = WORDS.indexOf(word);
  if (place < 0) throw new Error(`there is no option '${word}' in static/collector/words.js`);
  return 1 << place;
}

/** What the file must hold. */
export async function built() {
  const { code } = await minify(await joined(), {
    ecma: 2020,
    module: true,
    compress: { passes: 2, inline: 1, keep_fargs: false, unsafe_arrows: true, booleans_as_integers: true },
    format: { quote_style: 2 },
  });
  // A block of its own: what is declared in it is no global.
  return `{${code?.replace(/;$/, "")}}\n`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const now = await built();
  if (!argv.includes("--check")) {
    await mkdir(path.dirname(BUILT), { recursive: true });
    await writeFile(BUILT, now);
  } else if ((await readFile(BUILT, "utf8").catch(() => "")) !== now) {
    console.error("static/built/collector.js is not what static/collector/ gives: run `make static` and commit it.");
    process.exitCode = 1;
  }
}
