import type { Random } from './random.ts';

/** Pieces of request targets that parsers have stumbled over. */
const pieces = [
  '/',
  '//',
  '/./',
  '/../',
  '%2e%2e',
  '%2f',
  '%2F..%2f',
  '%00',
  '%0d%0a',
  '%',
  '%%',
  '%zz',
  '%c0%ae',
  '%ff',
  '%E2%80%AE',
  '%25',
  '?',
  '??',
  '&',
  '&&=',
  '=',
  '#',
  ';',
  ':',
  '::',
  '@',
  '+',
  '*',
  '~',
  '.',
  '..',
  '-',
  '__',
  '___',
  'A',
  '0',
  '-1',
  '1e9',
  'manifests/',
  'blobs/',
  'uploads/',
  'blobs/uploads/',
  'tags/list',
  'referrers/',
  '_catalog',
  'sha256:',
  'sha512:',
  'md5:',
  'n=',
  'n=-1',
  'last=',
  'digest=',
  'mount=',
  'from=',
  'tag=',
  '_state=',
  '__proto__',
  'constructor',
  '[]',
  '{}',
  '"',
  "'",
  '<',
  '\\',
  '|',
  '\u00e9',
  '\u00ff',
];

/** One to six small changes. The result has no blank, control character or byte that would end the line. */
export function mutateTarget(random: Random, target: string, others: readonly string[]): string {
  let text = target;
  for (let times = 1 + random.below(6); times > 0; times--) text = change(random, text, others);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u0020\u007f]/g, '').slice(0, 12_000) || '/';
}

function change(random: Random, text: string, others: readonly string[]): string {
  const at = random.below(text.length + 1);
  const end = at + random.below(8);
  switch (random.below(8)) {
    case 0:
      return text.slice(0, at) + random.pick(pieces) + text.slice(at);
    case 1:
      return text.slice(0, at) + random.pick(pieces) + text.slice(end);
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    case 4: {
      const other = random.pick(others);
      return text.slice(0, at) + other.slice(random.below(other.length));
    }
    case 5: {
      const segments = text.split('/');
      const index = random.below(segments.length);
      segments.splice(index, random.below(2), segments[random.below(segments.length)]!);
      return segments.join('/');
    }
    case 6:
      return text.slice(0, at) + random.pick(pieces).repeat(1 + random.below(300)) + text.slice(at);
    default:
      return text.slice(0, at) + String.fromCharCode(0x21 + random.below(0xde)) + text.slice(end);
  }
}
