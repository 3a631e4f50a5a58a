import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { closest } from '../../config/closest.ts';
import { refuse } from '../../oci/errors.ts';
import { formats } from './formats.ts';
import type { Schema } from './schema.ts';

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
    const near = closest(extra, Object.keys(schema?.properties ?? {}));
    const guess = near ? `Did you mean "${near}"? ` : '';
    return refuse('invalid', `${name} takes no "${extra}".`, `${guess}It takes: ${known}.`);
  }
  if (error.keyword === 'required') {
    return refuse('invalid', `${name} needs "${error.params.missingProperty}".`, hint);
  }
  if (error.keyword === 'enum') {
    const values = (error.params.allowedValues as unknown[]).join(', ');
    return refuse('invalid', `${name} must be one of: ${values}.`, hint);
  }
  if (error.propertyName !== undefined) {
    const given = JSON.stringify(error.propertyName.slice(0, 100));
    const rule = schema?.pattern ? `Names in it match ${schema.pattern}.` : hint;
    return refuse('invalid', `${name} cannot have the name ${given}.`, rule);
  }
  return refuse('invalid', `${name} ${error.message ?? 'is not valid'}.`, hint);
}
