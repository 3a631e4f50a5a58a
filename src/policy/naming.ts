import { quote } from '../oci/quote.ts';
import { isNameComponent, maxNameLength, parseRepositoryPath } from '../oci/reference.ts';
import { allowed, type Decision, deny } from './decision.ts';

const partNames = ['team', 'project', 'repository'] as const;

/** What each part of a name must be, in the order in which it is looked at. */
const rules: readonly { rule: string; broken: (part: string) => boolean; text: string }[] = [
  { rule: 'empty', broken: (part) => part === '', text: 'must not be empty' },
  { rule: 'dots', broken: (part) => part.includes('..'), text: 'must not contain ".."' },
  {
    rule: 'uppercase',
    broken: (part) => /[A-Z]/.test(part),
    text: 'must be lowercase',
  },
  {
    rule: 'characters',
    broken: (part) => /[^a-z0-9._-]/.test(part),
    text: 'may have only lowercase letters, digits, ".", "_" and "-"',
  },
  {
    rule: 'first-character',
    broken: (part) => !/^[a-z0-9]/.test(part),
    text: 'must start with a letter or a digit',
  },
  {
    rule: 'last-character',
    broken: (part) => !/[a-z0-9]$/.test(part),
    text: 'must end with a letter or a digit',
  },
  {
    rule: 'separators',
    broken: (part) => !isNameComponent(part),
    text: 'may have between letters and digits only one ".", one or two "_", or dashes',
  },
];

/**
 * Whether `name`, as it stands between `/v2/` and the rest of a request's path, can name a repository.
 * A denial (`name-invalid`) says which rule broke and suggests a name that would do.
 */
export function checkRepositoryName(name: string): Decision {
  if (parseRepositoryPath(name)) return allowed;
  if (name.length > maxNameLength) {
    return denial(name, 'length', `has more than ${maxNameLength} characters, which is the limit`);
  }
  const parts = name.split('/');
  for (const [index, part] of parts.entries()) {
    const broken = rules.find((rule) => rule.broken(part));
    if (broken) {
      const where = parts.length === 3 ? `its ${partNames[index]}` : 'each part';
      const shown = part === '' ? '' : ` ${quote(part)}`;
      return denial(name, broken.rule, `is not allowed: ${where}${shown} ${broken.text}`);
    }
  }
  const count = parts.length === 1 ? '1 part' : `${parts.length} parts`;
  return denial(name, 'parts', `has ${count}, but a repository is named team/project/repository`);
}

/** A legal name like `name`: `Team/App/Web_` -> `team/app/web`. Missing parts are filled with what to replace. */
export function suggestRepositoryName(name: string): string {
  const parts = name
    .slice(0, 2 * maxNameLength)
    .split('/')
    .map(legalPart)
    .filter((part) => part !== '');
  const [first = 'my-repository', second, ...rest] = parts;
  if (second === undefined) return fit(['team-slug', 'project-slug', first]);
  return fit([first, second, rest.length > 0 ? rest.join('-') : 'my-repository']);
}

function legalPart(part: string): string {
  return part
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/[._-]{2,}/g, (run) => (/^(?:__|-+)$/.test(run) ? run : '-'))
    .replace(/^[._-]+|[._-]+$/g, '');
}

function fit(parts: readonly [string, string, string]): string {
  const most = Math.floor((maxNameLength - 2) / 3);
  const whole = parts.join('/');
  if (whole.length <= maxNameLength) return whole;
  return parts.map((part) => part.slice(0, most).replace(/[._-]+$/, '')).join('/');
}

function denial(name: string, rule: string, problem: string): Decision {
  const suggestion = suggestRepositoryName(name);
  return deny(
    'name-invalid',
    `The repository name ${quote(name)} ${problem}.`,
    `Use a name like ${suggestion}.`,
    { rule, suggestion },
  );
}
