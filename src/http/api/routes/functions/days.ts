import { refuse } from '../../../../oci/errors.ts';
import { dayOf } from '../../../../ports/function-records.ts';
import type { Call } from '../../route.ts';
import { type ObjectSchema, object, type Schema } from '../../schema.ts';

export const day: Schema = {
  type: 'string',
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$',
  description: 'A day, UTC: 2026-11-21.',
  examples: ['2026-11-21'],
};
const properties = {
  first: { ...day, description: 'The first day, UTC; that of this month unless given.' },
  last: { ...day, description: 'The last day, UTC; today unless given.' },
} as const satisfies Record<string, Schema>;

export const daysQuery: ObjectSchema = object(properties, { optional: ['first', 'last'] });

const mostDays = 366;
const dayMs = 86_400_000;

/** The days that are asked for. Throws `invalid` where there are none, or too many. */
export function daysOf({ query, services }: Call): { firstDay: string; lastDay: string } {
  const today = dayOf(services.clock.now());
  const lastDay = realDay(query.last) ?? today;
  const firstDay = realDay(query.first) ?? `${lastDay.slice(0, 8)}01`;
  const count = (Date.parse(lastDay) - Date.parse(firstDay)) / dayMs + 1;
  if (count >= 1 && count <= mostDays) return { firstDay, lastDay };
  throw refuse(
    'invalid',
    `From ${firstDay} to ${lastDay} there are ${count < 1 ? 'no' : count} days: 1 to ${mostDays} can be asked for.`,
    'Name the first and the last day, such as ?first=2026-11-01&last=2026-11-30.',
  );
}

/** Throws `invalid` for the 30th of February. */
export function realDay(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  const text = String(given);
  const at = Date.parse(`${text}T00:00:00Z`);
  if (!Number.isNaN(at) && dayOf(at) === text) return text;
  throw refuse('invalid', `There is no day ${text}.`, 'Write it as 2026-11-21.');
}
