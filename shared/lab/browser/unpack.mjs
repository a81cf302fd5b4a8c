// Unpacks the Chromium of the npm package @sparticuz/chromium beside it, with the libraries and the
// font that it needs where the system has none, and a command that starts it: node_modules/.chromium/chrome.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const modules = join(import.meta.dirname, "node_modules");
const from = join(modules, "@sparticuz", "chromium", "bin");
const to = join(modules, ".chromium");

const unpacked = (name) => brotliDecompressSync(readFileSync(join(from, `${name}.br`)));

mkdirSync(to, { recursive: true });
writeFileSync(join(to, "chromium"), unpacked("chromium"), { mode: 0o755 });
for (const archive of ["al2023.tar", "fonts.tar", "swiftshader.tar"]) {
	execFileSync("tar", ["-x", "--no-same-owner", "-C", to], { input: unpacked(archive) });
}
writeFileSync(join(to, "fonts.conf"), `<?xml version="1.0"?>
<fontconfig>
	<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
	<dir>${join(to, "fonts")}</dir>
	<cachedir>${join(to, "cache")}</cachedir>
</fontconfig>
`);
writeFileSync(join(to, "chrome"), `#!/bin/sh
export FONTCONFIG_FILE="${join(to, "fonts.conf")}"
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${join(to, "lib")}"
exec "${join(to, "chromium")}" "$@"
`, { mode: 0o755 });
