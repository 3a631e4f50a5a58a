import type { Plan } from '../config/plans.ts';
import type { Identity } from '../ports/identity.ts';
import type { Services } from './services.ts';

const soonMs = 7 * 864e5;
const near = 0.9;

/** Texts for `Warning: 299` of a push that went well: limits that are nearly used up, a token that ends soon. */
export async function pushWarnings(
  services: Pick<Services, 'metadata' | 'transfer' | 'clock'>,
  identity: Identity,
  plan: Plan,
  repository: { readonly id: string; readonly teamId: string },
): Promise<string[]> {
  const { expiresAt, credential } = identity;
  const warnings: string[] = [];
  // JWTs and what was exchanged for them last for minutes, and are made anew each time.
  if (credential?.type === 'token' && expiresAt !== undefined) {
    if (expiresAt - services.clock.now() <= soonMs) {
      warnings.push(`The token expires at ${new Date(expiresAt).toISOString()}: make a new one.`);
    }
  }
  return [...warnings, ...(await limitWarnings(services, plan, repository))];
}

async function limitWarnings(
  { metadata, transfer }: Pick<Services, 'metadata' | 'transfer'>,
  { name, counts, storage }: Plan,
  { id, teamId }: { readonly id: string; readonly teamId: string },
): Promise<string[]> {
  const limited = storage !== undefined || Object.keys(counts).length > 0;
  const used = limited ? await metadata.usage.ofPush(id) : undefined;
  const moved = transfer.ofTeam(teamId);
  const rows: [what: string, used: number | undefined, limit: number | undefined][] = [
    ['repositories of the project', used?.repositories, counts.repositoriesPerProject],
    ['images of the repository', used?.images, counts.imagesPerRepository],
    ['tags of the repository', used?.tags, counts.tagsPerRepository],
    ['bytes that the team may store', used?.storedBytes, storage],
    ['bytes that may be pulled from the team this month', moved?.bytes, moved?.limit],
  ];
  return rows.flatMap(([what, value, limit]) =>
    value !== undefined && limit !== undefined && value >= limit * near
      ? [`${value} of the ${limit} ${what} are used, which the ${name} plan allows.`]
      : [],
  );
}
