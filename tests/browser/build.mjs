// Makes static/built/ out of static/: modules one after the other, without what only joins them, and made small. The same
// sources give the same bytes, which are committed, so that building the program needs no Node.
// With --check it writes nothing and fails where a committed file is another.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { minify } from "terser";
import { WORDS } from "../../static/collector/words.js";

const STATIC = fileURLToPath(new URL("../../static/", import.meta.url));
const FOLDER = path.join(STATIC, "built");
export const BUILT = path.join(FOLDER, "collector.js");

/** Each in the order that compresses best; the first to act comes last. */
const COLLECTOR = ["clicks", "element", "contained", "forms", "hover", "device", "track", "exit", "page", "speed", "view", "outbox", "errors", "words", "options", "main"];
const BANNER = ["gateway", "answer", "revive", "choice", "link", "shield", "stay", "main"];
const CONSENT_MODE = ["consent-mode"];

/** A collector's module asks by a word; the script looks at its bit. @param {string} source */
const words = (source) => source.replace(/\bon\('(\w+)'\)/g, (_, word) => `(options & ${bit(word)})`);

/** What each file is made of. @type {Record<string, () => Promise<string>>} */
const FILES = {
  "collector.js": async () => script(words(await joined("collector", COLLECTOR)), { booleans_as_integers: true }),
  "banner.js": async () => script(await joined("banner", BANNER, CONSENT_MODE)),
  "consent-mode.js": async () => script(await joined("banner", CONSENT_MODE, BANNER)),
  "banner.css": async () => sheet(await readFile(path.join(STATIC, "banner.css"), "utf8")),
};

/**
 * The modules one after the other. Their own names are distinct, or the whole would not parse; none may be left out.
 * @param {string} name of their folder
 * @param {string[]} modules
 * @param {string[]} [others] that lie there and belong to another file
 */
async function joined(name, modules, others = []) {
  const folder = path.join(STATIC, name);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".js")).map((name) => name.replace(/\.js$/, ""));
  const missing = names.filter((name) => !modules.includes(name) && !others.includes(name));
  if (missing.length) throw new Error(`static/${name}/${missing[0]}.js has no place in tests/browser/build.mjs`);
  const sources = await Promise.all(modules.map((name) => readFile(path.join(folder, `${name}.js`), "utf8")));
  // `let` throughout compresses better than two words; nothing is assigned that was constant, as the types are checked.
  return sources.join("").replace(/^import .*$/gm, "").replace(/^export /gm, "").replace(/\bconst\b/g, "let");
}

/** What a word's option adds to the sum. @param {string} word */
function bit(word) {
  const place = WORDS.indexOf(word);
  if (place < 0) throw new Error(`there is no option '${word}' in static/collector/words.js`);
  return 1 << place;
}

/**
 * A script made small, in a block of its own: what is declared in it is no global.
 * @param {string} source
 * @param {import("terser").CompressOptions} [more]
 */
async function script(source, more) {
  const { code } = await minify(source, {
    ecma: 2020,
    module: true,
    compress: { passes: 2, inline: 1, keep_fargs: false, unsafe_arrows: true, ...more },
    format: { quote_style: 2 },
  });
  return `{${code?.replace(/;$/, "")}}\n`;
}

/**
 * A style sheet made small, in which each declaration of the layer says `!important`: so says its source, once.
 * @param {string} source
 */
function sheet(source) {
  const small = source
    .replace(/\/\*.*?\*\//gs, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,]) ?/g, "$1")
    .replace(/: /g, ":")
    .trim();
  const from = small.indexOf("@layer");
  let to = small.indexOf("{", from) + 1;
  for (let depth = 1; depth; to++) depth += small[to] === "{" ? 1 : small[to] === "}" ? -1 : 0;
  const layer = small.slice(from, to).replace(/(?<=[{;][\w-]+:[^{};]+);/g, "!important;");
  return `${small.slice(0, from)}${layer}${small.slice(to)}`.replaceAll(";}", "}") + "\n";
}

/** What a file must hold. */
export const built = (name = "collector.js") => FILES[name]();

if (argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(FOLDER, { recursive: true });
  for (const name of Object.keys(FILES)) {
    const [file, now] = [path.join(FOLDER, name), await built(name)];
    if (!argv.includes("--check")) await writeFile(file, now);
    else if ((await readFile(file, "utf8").catch(() => "")) !== now) {
      console.error(`static/built/${name} is not what its sources give: run \`make static\` and commit it.`);
      process.exitCode = 1;
    }
  }
}
