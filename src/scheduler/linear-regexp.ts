import { setFlagsFromString } from 'node:v8';

// V8's engine without backtracking: its time grows with the text alone, whatever the pattern. It is asked for
// by the flag `l`, and patterns without that flag are run as ever.
setFlagsFromString('--enable-experimental-regexp-engine');

/** Repetitions that a pattern with look-around may have: each multiplies the time by the text's length. */
const mostRepeats = 2;
/** Parts that may be there: each doubles the time. */
const mostOptions = 4;

/**
 * A pattern that people wrote, as a regular expression whose time is bounded. What needs backtracking
 * (look-around, counted repetition) is taken where nothing that repeats can match in two ways.
 * Throws a `SyntaxError` that says what is wrong.
 */
export function boundedRegExp(source: string): RegExp {
  // Of its syntax first: its message tells what is wrong.
  const plain = new RegExp(source);
  try {
    return new RegExp(source, 'l');
  } catch {
    const problem = unboundedPart(source);
    if (problem) throw new SyntaxError(problem);
    return plain;
  }
}

/** What in the pattern could take time without bound; `source` is a valid pattern. */
function unboundedPart(source: string): string | undefined {
  /** One for each group that is open: whether it repeats or chooses within. */
  const open: { ambiguous: boolean }[] = [];
  let last: { ambiguous: boolean } | undefined;
  let repeats = 0;
  let options = 0;
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!;
    const outer = open.at(-1);
    if (char === '\\') {
      if (/[1-9k]/.test(source[at + 1] ?? '')) return 'it refers back to a group';
      at++;
      last = undefined;
    } else if (char === '[') {
      at = endOfClass(source, at);
      last = undefined;
    } else if (char === '(') {
      open.push({ ambiguous: false });
      const special = /^\?(?:<?[=!]|:|<\w+>)/.exec(source.slice(at + 1, at + 64));
      at += special?.[0].length ?? 0;
      last = undefined;
    } else if (char === ')') {
      last = open.pop();
      if (last?.ambiguous && open.at(-1)) open.at(-1)!.ambiguous = true;
    } else if (char === '|') {
      if (outer) outer.ambiguous = true;
    } else if (
      char === '*' ||
      char === '+' ||
      /^\{\d+(?:,\d*)?\}/.test(source.slice(at, at + 16))
    ) {
      if (last?.ambiguous) return 'a group that repeats holds a choice or another repetition';
      if (++repeats > mostRepeats) {
        return `it has more than ${mostRepeats} repetitions beside look-around`;
      }
      if (outer) outer.ambiguous = true;
      if (char === '{') at = source.indexOf('}', at);
      // One that is lazy tries no less.
      if (source[at + 1] === '?') at++;
    } else if (char === '?') {
      if (++options > mostOptions)
        return `it has more than ${mostOptions} options beside look-around`;
    } else {
      last = undefined;
    }
  }
  return undefined;
}

function endOfClass(source: string, from: number): number {
  for (let at = from + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === ']') return at;
  }
  return source.length;
}
