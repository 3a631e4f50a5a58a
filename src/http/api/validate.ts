import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { parseDuration } from '../../config/units.ts';
import { parseDigest } from '../../oci/digest.ts';
import { refuse } from '../../oci/errors.ts';
import { isNameComponent, isTag } from '../../oci/reference.ts';
import { isSlug } from '../../projects/admin-validate.ts';
import type { Schema } from './schema.ts';

/** What `format` means, beside what it says to readers of the document. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  slug: isSlug,
  'repository-name': (text) => isNameComponent(text),
  tag: isTag,
  digest: (text) => parseDigest(text) !== undefined,
  title: (text) => text.trim() === text && /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text),
  platform: (text) => /^[a-z0-9][a-z0-9._-]{0,31}\/[a-z0-9][a-z0-9._-]{0,31}$/.test(text),
  lifetime: (text) => {
    const milliseconds = parseDuration(text);
    return milliseconds !== undefined && milliseconds >= 1000 && milliseconds <= 100 * 365 * 864e5;
  },
  'date-time': (text) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text)),
  uri: (text) => URL.canParse(text),
  binary: () => true,
};

const options = { strict: true, strictTypes: false, allErrors: false, verbose: true } as const;
const strict = withFormats(new Ajv2020(options));
/** For what comes as text: numbers and booleans are read from it, single values become lists. */
const coercing = withFormats(new Ajv2020({ ...options, coerceTypes: 'array', useDefaults: true }));
const compiled = new Map<Schema, ValidateFunction>();

function withFormats(ajv: Ajv2020): Ajv2020 {
  for (const [name, validate] of Object.entries(formats)) ajv.addFormat(name, { validate });
  return ajv;
}

/** Throws `invalid`, naming the field, what came and what is allowed. `where`: `body`, `query` or `path`. */
export function validate(schema: Schema, value: unknown, where: 'body' | 'query' | 'path'): void {
  let check = compiled.get(schema);
  if (!check) {
    check = (where === 'body' ? strict : coercing).compile(schema);
    compiled.set(schema, check);
  }
  if (!check(value)) throw explain(check.errors![0]!, where);
}

function explain(error: ErrorObject, where: string) {
  const field = error.instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/');
  const name = field === '' ? `The ${where}` : `"${field}" in the ${where}`;
  const schema = error.parentSchema as Schema | undefined;
  const hint = schema?.description ?? '';
  if (error.keyword === 'additionalProperties') {
    const known = Object.keys(schema?.properties ?? {}).join(', ') || 'nothing';
    const extra = String(error.params.additionalProperty).slice(0, 100);
    return refuse('invalid', `${name} takes no "${extra}".`, `It takes: ${known}.`);
  }
  if (error.keyword === 'required') {
    return refuse('invalid', `${name} needs "${error.params.missingProperty}".`, hint);
  }
  if (error.keyword === 'enum') {
    const values = (error.params.allowedValues as unknown[]).join(', ');
    return refuse('invalid', `${name} must be one of: ${values}.`, hint);
  }
  return refuse('invalid', `${name} ${error.message ?? 'is not valid'}.`, hint);
}
