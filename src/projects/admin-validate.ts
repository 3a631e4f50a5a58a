import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { closest } from '../config/closest.ts';
import { parseDuration } from '../config/units.ts';
import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import { isNameComponent } from '../oci/reference.ts';
import type { AdminMethod, AdminMethods, PresetName } from './admin-methods.ts';
import { methodSchemas, type ParamsSchema, presetSchemas } from './admin-schemas.ts';
import { isId } from './ids.ts';

const longestSlug = 63;

/** A part of a repository's name, short enough for a host's, and not to be taken for an id. */
export function isSlug(text: string): boolean {
  return text.length <= longestSlug && isNameComponent(text) && !isId(text, 'team');
}

const ajv = new Ajv({ verbose: true, allowUnionTypes: true });
ajv.addFormat('slug', isSlug);
ajv.addFormat('title', (text) => text.trim() === text && /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text));
ajv.addFormat('platform', /^[a-z0-9][a-z0-9._-]{0,31}\/[a-z0-9][a-z0-9._-]{0,31}$/);
ajv.addFormat('lifetime', (text) => {
  const milliseconds = parseDuration(text);
  return milliseconds !== undefined && milliseconds >= 1000 && milliseconds <= 100 * 365 * 864e5;
});

const compiled = new Map<ParamsSchema, ValidateFunction>();

export function isAdminMethod(method: string): method is AdminMethod {
  return Object.hasOwn(methodSchemas, method);
}

/** Throws `RegistryError` kind `invalid` with the parameter, what came and what is allowed. */
export function validateParams<M extends AdminMethod>(
  method: M,
  params: unknown,
): AdminMethods[M]['params'] {
  check(methodSchemas[method], method, params);
  return params as AdminMethods[M]['params'];
}

/** Likewise, for the options of a policy's preset. */
export function validatePresetOptions(preset: PresetName, options: unknown): void {
  check(presetSchemas[preset], `the ${preset} preset`, options);
}

function check(schema: ParamsSchema, what: string, params: unknown): void {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  if (!validate(params)) throw refuse('invalid', explain(validate.errors![0]!, schema, what));
}

function explain(error: ErrorObject, schema: ParamsSchema, what: string): string {
  const known = Object.keys(schema.properties);
  const name = error.instancePath.split('/')[1];
  if (name === undefined && error.keyword === 'required') {
    return `${what} needs ${error.params.missingProperty}.`;
  }
  if (name === undefined && error.keyword === 'additionalProperties') {
    const unknown = String(error.params.additionalProperty);
    const near = closest(unknown, known);
    const guess = near ? ` Did you mean ${near}?` : '';
    return `${what} takes no ${quote(unknown)}.${guess} It takes: ${known.join(', ') || 'nothing'}.`;
  }
  if (name === undefined) return `${what} takes an object of parameters.`;
  const came = typeof error.data === 'string' ? quote(error.data) : JSON.stringify(error.data);
  const shown = came.length > 100 ? `${came.slice(0, 100)}…` : came;
  return `${name} must be ${schema.properties[name]!.description}; got ${shown}.`;
}
