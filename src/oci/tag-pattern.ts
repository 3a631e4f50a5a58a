/** What a pattern may be: a tag's characters and `*`, which stands for any number of characters. */
export const tagPattern = /^[A-Za-z0-9_.*-]{1,128}$/;

/** Whether the whole tag is as the pattern says. At most length of pattern × length of tag steps. */
export function matchesTag(wanted: string, tag: string): boolean {
  let [at, from] = [0, 0];
  // Where the last `*` was, and how far the tag had been read there.
  let [star, mark] = [-1, 0];
  while (from < tag.length) {
    // A tag holds no `*`, so one in the pattern is never meant literally.
    if (wanted[at] === '*') [star, mark] = [at++, from];
    else if (wanted[at] === tag[from]) [at, from] = [at + 1, from + 1];
    else if (star >= 0) [at, from] = [star + 1, ++mark];
    else return false;
  }
  while (wanted[at] === '*') at += 1;
  return at === wanted.length;
}

/** The first of the patterns that the tag matches. */
export function matchingPattern(patterns: readonly string[], tag: string): string | undefined {
  return patterns.find((one) => matchesTag(one, tag));
}
