import { parseDigest } from '../../oci/digest.ts';
import { isNameComponent, isTag } from '../../oci/reference.ts';
import { isSlug } from '../../projects/admin-validate.ts';

/** What the `format` of a schema means, beside what its description says to readers. */
export const formats: Readonly<Record<string, (text: string) => boolean>> = {
  slug: isSlug,
  'repository-name': (text) => isNameComponent(text),
  tag: isTag,
  digest: (text) => parseDigest(text) !== undefined,
  title: (text) => text.trim() === text && /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text),
  platform: (text) => new RegExp(patterns.platform!).test(text),
  lifetime: (text) => new RegExp(patterns.lifetime!).test(text),
  'date-time': (text) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text)),
  uri: (text) => URL.canParse(text),
  binary: () => true,
};

const component = '^[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*$';

/** Formats of our own as patterns, for readers of the OpenAPI document: what a pattern refuses is refused. */
export const patterns: Readonly<Record<string, string>> = {
  slug: component,
  'repository-name': component,
  tag: '^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$',
  digest: '^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$',
  platform: '^[a-z0-9][a-z0-9._-]{0,31}/[a-z0-9][a-z0-9._-]{0,31}$',
  lifetime: '^(?:[1-9][0-9]{0,4}[smh]|[1-9][0-9]{0,3}d)$',
};
