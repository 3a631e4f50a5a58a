import { readFile, writeFile } from 'node:fs/promises';
import { envName, type SettingSchema, settingNames, settings } from '../src/config/schema.ts';

const PAGE = new URL('../docs/settings.md', import.meta.url);

/** The reference page of all settings, from the schema. */
export function settingsDoc(): string {
  return `# Settings

<!-- Made from src/config/schema.ts by \`node scripts/run.mjs scripts/settings-doc.ts\`. -->

A setting comes from the environment (\`GANTRY_PORT=8080 npm start\`), else from a JSON file that
\`GANTRY_CONFIG\` names, else it has its default. The file has the same settings by the names in the
second column: \`{"port": 8080, "trustedProxies": ["10.0.0.0/8"]}\`. An empty variable counts as
absent. Relative paths are taken from the working directory. An unknown name or a bad value is refused at
start, with what is allowed.

| variable | in a file | default | what it does |
|---|---|---|---|
${settingNames.map((name) => row(name, settings[name])).join('\n')}

Not settings of the server: \`GANTRY_CONFIG\` (the path of the file); \`GANTRY_TO_DATABASE_URL\` (of \`gantry admin move\`);
\`GANTRY_TOOLS_BIN\` and \`GANTRY_TEST_…\` are read by the tests alone.
`;
}

function row(name: string, setting: SettingSchema): string {
  const what = `${setting.description} Allowed: ${setting.allowed}. Example: \`${setting.example}\``;
  return `| \`${envName(name)}\` | \`${name}\` | ${defaultOf(setting)} | ${what} |`;
}

function defaultOf(setting: SettingSchema): string {
  if (setting.default === undefined) return setting.absent ?? 'none';
  if (Array.isArray(setting.default)) return 'none';
  if (typeof setting.default === 'boolean') return setting.default ? '`on`' : '`off`';
  return `\`${setting.default}\``;
}

export async function readPage(): Promise<string> {
  return await readFile(PAGE, 'utf8');
}

if (import.meta.main) await writeFile(PAGE, settingsDoc());
