/** What is asked of a small and a large registry alike. */
import { tokenHeaders } from '../servers.ts';
import { bearer, credentials, full, type Probe, posts, pushes, reads } from './requests.ts';
import { bigRepository, imageOf, project, repositoryOf, tagOf, team } from './seed.ts';
import type { World } from './world.ts';

const big = full(bigRepository);
const api = `/api/v1/teams/${team}/projects/${project}`;
const bigApi = `${api}/repositories/${bigRepository}`;

/** Numbers spread over all, the same each time. */
const spread = (count: number, most = 500): number[] =>
  Array.from({ length: most }, (_, at) => Math.floor(((at * 0.618034) % 1) * count));

const pulls = (
  name: string,
  title: string,
  paths: (world: World) => readonly string[],
  method = 'GET',
): Probe =>
  reads(name, title, async (world) => ({
    ...{ paths: paths(world), method },
    headers: await tokenHeaders(world.url, credentials(world), big),
  }));
const asks = (
  name: string,
  title: string,
  paths: (world: World) => readonly string[] | Promise<readonly string[]>,
): Probe =>
  reads(name, title, async (world) => ({
    paths: await paths(world),
    headers: bearer(world.token),
  }));

const tagPages = [100, 1000].flatMap((n) =>
  (['first', 'middle', 'last'] as const).map((where) =>
    pulls(`tags-${n}-${where}`, `tags/list, n=${n}, ${where} page`, ({ size: { tags } }) => {
      // Where one page holds all, it is what the others are beside.
      const places = { first: '', middle: tagOf(tags >> 1), last: tagOf(tags - n - 1) };
      const last = tags <= n ? '' : places[where];
      return [`/v2/${big}/tags/list?n=${n}${last && `&last=${last}`}`];
    }),
  ),
);

const catalogPages = [100, 1000].flatMap((n) =>
  (['first', 'middle', 'last'] as const).map((where) =>
    reads(`catalog-${n}-${where}`, `_catalog, n=${n}, ${where} page`, (world) => {
      const { repositories } = world.size;
      const places = { first: -1, middle: repositories >> 1, last: repositories - n - 1 };
      const at = repositories <= n ? -1 : places[where];
      const last = at < 0 ? '' : `&last=${full(repositoryOf(at))}`;
      const basic = Buffer.from(credentials(world)).toString('base64');
      return {
        paths: [`/v2/_catalog?n=${n}${last}`],
        headers: { authorization: `Basic ${basic}` },
      };
    }),
  ),
);

/** The page of a list in the middle, reached by its cursors; each list is walked once. */
const middles = new Map<string, Promise<string>>();
function middleOf(world: World, path: string, items: number, token = world.token): Promise<string> {
  const key = `${world.url}${path}`;
  const found = middles.get(key) ?? walk(world, path, items >> 1, token);
  middles.set(key, found);
  return found;
}
async function walk(world: World, path: string, items: number, token: string): Promise<string> {
  const sign = path.includes('?') ? '&' : '?';
  let cursor = '';
  for (let seen = 0; seen < items; ) {
    const limit = Math.min(1_000, items - seen);
    const url = `${world.url}${path}${sign}limit=${limit}${cursor && `&cursor=${cursor}`}`;
    const answer = await fetch(url, { headers: bearer(token) });
    const page = (await answer.json()) as { items: unknown[]; next: string | null };
    if (!answer.ok || page.next === null) throw new Error(`${path}: no page after ${seen}`);
    seen += page.items.length;
    cursor = page.next;
  }
  return `${path}${sign}limit=100${cursor && `&cursor=${cursor}`}`;
}

const sorts = (list: string, by: string, items: (world: World) => number) =>
  (['asc', 'desc'] as const).flatMap((order) => {
    const query = `sort=${by}&order=${order}`;
    const path = list === 'tags' ? `${bigApi}/tags` : `${api}/repositories`;
    const title = `API: ${list} by ${by}, ${order}`;
    return [
      asks(`api-${list}-${by}-${order}`, `${title}, first page`, () => [
        `${path}?limit=100&${query}`,
      ]),
      asks(`api-${list}-${by}-${order}-middle`, `${title}, middle page`, async (world) => [
        await middleOf(world, `${path}?${query}`, items(world)),
      ]),
    ];
  });

const tagsOf = (world: World) => world.size.tags;
const repositoriesOf = (world: World) => world.size.repositories;

const apiLists = [
  ...sorts('tags', 'name', tagsOf),
  ...sorts('tags', 'date', tagsOf),
  ...sorts('repositories', 'name', repositoriesOf),
  ...sorts('repositories', 'pushed', repositoriesOf),
  asks('api-repositories-part', 'API: repositories with a part that all names have', () => [
    `${api}/repositories?limit=100&name=r0`,
  ]),
  asks('api-repositories-rare', 'API: repositories with a part that one name has', (world) => [
    `${api}/repositories?limit=100&name=${repositoryOf(world.size.repositories - 1).slice(1)}`,
  ]),
  ...['name', 'pushed'].map((by) =>
    reads(
      `api-repositories-public-${by}`,
      `API: public repositories by ${by}, to strangers`,
      () => ({
        paths: [`${api}/repositories?limit=10&sort=${by}`],
        headers: {},
      }),
    ),
  ),
];

/** As many of each: what is read from files is kept for a while. */
const images = (world: World) => spread(world.size.tags, 50).map((at) => imageOf(world.images, at));

const content = [
  pulls('manifest-get', 'GET manifest by tag, tags spread over all', ({ size }) =>
    spread(size.tags).map((at) => `/v2/${big}/manifests/${tagOf(at)}`),
  ),
  pulls(
    'blob-head',
    'HEAD blob, blobs spread over all',
    (world) => images(world).map(({ config }) => `/v2/${big}/blobs/${config.digest}`),
    'HEAD',
  ),
  pulls('referrers', 'referrers of an image', ({ images: all }) => [
    `/v2/${big}/referrers/${all.images[0]!.digest}`,
  ]),
  asks('api-manifests', 'API: manifests, the latest first', () => [
    `${bigApi}/manifests?limit=100`,
  ]),
  asks('api-manifest', 'API: one manifest with its tags', (world) =>
    images(world).map(({ digest }) => `${bigApi}/manifests/${digest}`),
  ),
  asks('api-tag-history', 'API: history of a tag', ({ size }) =>
    spread(size.tags).map((at) => `${bigApi}/tags/${tagOf(at)}/history`),
  ),
  asks('api-usage', 'API: usage of the team', () => [`/api/v1/teams/${team}/usage`]),
  asks('api-projects', 'API: projects of the team', () => [`/api/v1/teams/${team}/projects`]),
  asks('api-events', 'API: events of the team', () => [`/api/v1/teams/${team}/events?limit=100`]),
];

const operator = (world: World) => world.operator;

export const probes: readonly Probe[] = [
  ...tagPages,
  ...catalogPages,
  ...content,
  ...apiLists,
  // Between all others by name.
  pushes(
    'push-big',
    'PUT manifest to a new tag of the large repository',
    { repository: bigRepository, image: 0 },
    (at) => `t0000100.${at}`,
  ),
  pushes(
    'push-small',
    'PUT manifest to a new tag of one of many',
    { repository: repositoryOf(50), image: 50 },
    (at) => `n${at}`,
  ),
  posts('collection-look', 'API: collection, a look', '/api/v1/collection', operator),
];

/** Reads all that they are about: their time is told by row. */
export const wholeReads: readonly (Probe & { readonly per: (world: World) => number })[] = [
  {
    ...posts('collection-dry', 'dry run of a collection', '/api/v1/collection', operator, {
      dryRun: true,
    }),
    per: ({ size, images: all }) => 2 * (size.repositories + all.images.length),
  },
  {
    ...posts('retention-dry', 'dry run of retention', `${bigApi}/retention`, (w) => w.token, {
      dryRun: true,
    }),
    per: ({ size }) => size.tags,
  },
];
