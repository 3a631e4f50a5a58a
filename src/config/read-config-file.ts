import { readFileSync } from 'node:fs';
import { type SettingName, settingNames } from './schema.ts';
import { unknownSetting } from './unknown-setting.ts';

/** What a JSON file sets, by the settings' names in camelCase. Problems name the file. */
export function readConfigFile(
  path: string,
  problems: string[],
): Partial<Record<SettingName, unknown>> {
  const value = readJson(path, problems);
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(`GANTRY_CONFIG: ${path} must hold one JSON object, such as {"port": 5050}.`);
    return {};
  }
  const known: ReadonlySet<string> = new Set(settingNames);
  for (const key of Object.keys(value)) {
    if (!known.has(key)) problems.push(unknownSetting(key, ` in ${path}`, (name) => name));
  }
  return Object.fromEntries(Object.entries(value).filter(([key]) => known.has(key)));
}

function readJson(path: string, problems: string[]): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    problems.push(`GANTRY_CONFIG: ${path}: ${reason}. Name a JSON file, or unset GANTRY_CONFIG.`);
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    problems.push(
      `GANTRY_CONFIG: ${path} is not valid JSON. Names and texts are in double quotes; comments and trailing commas are not allowed.`,
    );
    return undefined;
  }
}
