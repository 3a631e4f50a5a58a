import { envName, type SettingName, settingNames, settings } from './schema.ts';
import { unknownSetting } from './unknown-setting.ts';

const PREFIX = 'GANTRY_';
/** Of this prefix, but no settings of the server: the file's path, what a move goes to, and what only tests read. */
const NOT_SETTINGS = new Set(['GANTRY_CONFIG', 'GANTRY_TOOLS_BIN', 'GANTRY_TO_DATABASE_URL']);
const TEST_PREFIX = 'GANTRY_TEST_';

const byEnvName = new Map<string, SettingName>(settingNames.map((name) => [envName(name), name]));

/**
 * What the environment sets, with numbers, flags and lists read from their texts. What is no number or
 * flag stays text, for the schema to refuse. An empty value counts as absent.
 */
export function readEnv(
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Partial<Record<SettingName, unknown>> {
  const given: Partial<Record<SettingName, unknown>> = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || text === undefined) continue;
    if (NOT_SETTINGS.has(variable) || variable.startsWith(TEST_PREFIX)) continue;
    const name = byEnvName.get(variable);
    if (!name) problems.push(unknownSetting(variable, '', envName));
    else if (text.trim() !== '') given[name] = readText(name, text.trim());
  }
  return given;
}

function readText(name: SettingName, text: string): unknown {
  switch (settings[name].type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case 'boolean':
      return FLAGS.get(text.toLowerCase()) ?? text;
    case 'array':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    default:
      return text;
  }
}

const FLAGS = new Map([
  ['on', true],
  ['true', true],
  ['yes', true],
  ['1', true],
  ['off', false],
  ['false', false],
  ['no', false],
  ['0', false],
]);
