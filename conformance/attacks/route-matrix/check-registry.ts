import { Registry } from '../../spec/client.ts';
import type { Answered } from './ask.ts';
import { browsers, type CallerName, callers, refusalAtPublic, refusalOf } from './callers.ts';
import type { RegistryRow, RegistrySample } from './registry-rows.ts';
import { essence } from './row.ts';
import type { Place, World } from './world.ts';

/** How a caller shows who it is: with each request, or by a token of the token endpoint. */
export type Way = 'basic' | 'bearer';

/** One row of the /v2 table; a sentence for each answer that is not as the row says. */
export async function checkRegistryRow(
  world: World,
  method: string,
  row: RegistryRow,
  way: Way,
): Promise<string[]> {
  const complaints: string[] = [];
  const places = row.at === 'repository' ? [world.own, world.open] : [world.own];
  for (const place of places) {
    const make = new Registry(world.server.origin, world.registry.owner);
    try {
      const shared = await row.sample(place, make);
      for (const caller of inOrder(world, row, place)) {
        const status = expected(world, row, caller, place) ?? row.answers;
        const passes = status === row.answers;
        const fresh = way === 'basic' && passes && !/GET|HEAD/.test(method);
        const sample = fresh ? await row.sample(place, make) : shared;
        // Whoever has a token of the token endpoint is refused the same; to succeed once is enough.
        if (way === 'bearer' && passes && !/GET|HEAD/.test(method)) continue;
        const authorization = await authorize(world, caller, place, way);
        const answer = await ask(world, method, sample, authorization);
        const said = `${caller} at ${place.name}`;
        if (answer.status !== status) {
          complaints.push(`${said}: wanted ${status}, got ${answer.status} ${answer.body}`);
        }
        if (answer.status === 401 && !answer.headers['www-authenticate']) {
          complaints.push(`${said}: 401 without a challenge`);
        }
        if (!passes && place === world.own && (status === 401 || status === 404)) {
          if (row.blind?.includes(caller)) continue;
          complaints.push(...(await hidden(world, method, sample, caller, authorization, answer)));
        }
      }
    } finally {
      make.close();
    }
  }
  return complaints;
}

/** Who is refused comes first: they change nothing. */
function inOrder(world: World, row: RegistryRow, place: Place): CallerName[] {
  // Cookies say nothing here: a browser is as good as nobody.
  const known = callers.filter((caller) => !browsers.includes(caller));
  const refused = (caller: CallerName) => expected(world, row, caller, place) !== undefined;
  return [...known.filter(refused), ...known.filter((caller) => !refused(caller))];
}

/**
 * A login is one to a team, and bad credentials are 401, never 403, at which containerd and BuildKit stop:
 * whoever is in no team, and whose JWT no policy takes, is as good as nobody.
 */
const cannotLogIn: readonly CallerName[] = ['unmatched-jwt', 'operator', 'operator-read'];

function expected(world: World, row: RegistryRow, caller: CallerName, place: Place) {
  if (cannotLogIn.includes(caller)) return 401;
  if (row.blind?.includes(caller)) return 404;
  if (place === world.open) return refusalAtPublic(row, caller, 'GET', row.may.includes('read'));
  return refusalOf(row, caller, 'GET');
}

/** A1, A2: another team, project or repository that does not exist gets the very same answer. */
async function hidden(
  world: World,
  method: string,
  sample: RegistrySample,
  caller: CallerName,
  authorization: string | undefined,
  there: Answered,
): Promise<string[]> {
  const { own } = world;
  if (!sample.target.includes(own.name)) return [];
  const complaints: string[] = [];
  const { team, project, repository } = own;
  for (const name of [
    `nobody/${project}/${repository}`,
    `${team}/nothing/${repository}`,
    `${team}/${project}/nowhere`,
  ]) {
    const target = sample.target.replace(own.name, name);
    const answer = await ask(world, method, { ...sample, target }, authorization);
    const [a, b] = [essence(there, [own.name]), essence(answer, [name])];
    if (a !== b) complaints.push(`${caller}: ${name} differs:\n    ${a}\n    ${b}`);
  }
  return complaints;
}

export function ask(
  { asker }: World,
  method: string,
  { target, headers, body }: RegistrySample,
  authorization: string | undefined,
): Promise<Answered> {
  return asker.ask({
    ...{ method, target, body },
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  });
}

/** The header of that caller; where the token endpoint refuses, the credentials themselves. */
export async function authorize(
  { asker, registry }: World,
  caller: CallerName,
  place: Place,
  way: Way,
): Promise<string | undefined> {
  const authorization = registry[caller];
  if (way === 'basic') return authorization;
  const query = new URLSearchParams({ service: 'any' });
  query.append('scope', `repository:${place.name}:pull,push,delete`);
  query.append('scope', 'registry:catalog:*');
  const answer = await asker.ask({
    ...{ method: 'GET', target: `/token?${query}` },
    headers: authorization === undefined ? {} : { authorization },
  });
  if (answer.status !== 200) return authorization;
  return `Bearer ${(JSON.parse(answer.body) as { token: string }).token}`;
}
