import type { Call } from './route.ts';
import { type ObjectSchema, object, type Schema } from './schema.ts';

export const defaultLimit = 100;

/** Query of a list: `limit` (100 unless given, at most 1000) and `cursor`, and what else it takes. */
export function pageQuery(more: Readonly<Record<string, Schema>> = {}): ObjectSchema {
  const properties: Record<string, Schema> = {
    limit: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: defaultLimit,
      description: 'Items of one page, 1 to 1000.',
    },
    cursor: {
      type: 'string',
      maxLength: 2048,
      description: '"next" of the page before, unchanged.',
    },
    ...more,
  };
  return object(properties, { optional: Object.keys(properties) });
}

export function limitOf({ query }: Pick<Call, 'query'>): number {
  return (query.limit as number | undefined) ?? defaultLimit;
}
