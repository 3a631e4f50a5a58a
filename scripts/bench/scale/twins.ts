/** That what was filled in is what pushes would have left: rows of a real push beside it, and some pulls. */
import { digestOf } from '../../../src/oci/digest.ts';
import { expect } from '../seed.ts';
import { tokenHeaders } from '../servers.ts';
import type { Database, Value } from './database.ts';
import type { SeedImage } from './images.ts';
import { bigRepository, imageOf, project, repositoryOf, tagOf, team } from './seed.ts';
import { look, type World } from './world.ts';

const full = (repository: string) => `${team}/${project}/${repository}`;
const credentials = ({ teamId, token }: World) => `${teamId}:${token}`;

export async function checkPulls(world: World): Promise<void> {
  const { size, images, url } = world;
  const wanted = [
    [bigRepository, tagOf(0), 0],
    [bigRepository, tagOf(size.tags - 1), size.tags - 1],
    [repositoryOf(size.repositories - 1), 'latest', size.repositories - 1],
  ] as const;
  for (const [repository, tag, number] of wanted) {
    const headers = await tokenHeaders(url, credentials(world), full(repository));
    const { digest, config, layer } = imageOf(images, number);
    for (const [path, right] of [
      [`manifests/${tag}`, digest],
      [`blobs/${config.digest}`, config.digest],
      [`blobs/${layer.digest}`, layer.digest],
    ]) {
      const answer = await fetch(`${url}/v2/${full(repository)}/${path}`, { headers });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.ok && digestOf(bytes) === right) continue;
      throw new Error(`${repository}/${path}: ${answer.status}, not the bytes that were filled in`);
    }
  }
}

/** Pushes an image and a referrer as another client would, and compares the rows with those that were filled in. */
export async function checkTwins(world: World): Promise<void> {
  const { images } = world;
  const seeded = repositoryOf(0);
  await pushImage(world, 'twin', imageOf(images, 0), 'latest');
  await pushImage(world, 'twin-of-referrers', images.referrers[0]!, undefined);
  const database = await look(world);
  try {
    const rows = async (repository: string, digest: string) => ({
      ...(await rowsOf(database, repository, digest)),
    });
    const { digest } = imageOf(images, 0);
    same('an image', await rows(seeded, digest), await rows('twin', digest));
    const referrer = images.referrers[0]!.digest;
    const [mine, theirs] = [
      await rows(bigRepository, referrer),
      await rows('twin-of-referrers', referrer),
    ];
    same('a referrer', { ...mine, counts: [] }, { ...theirs, counts: [] });
  } finally {
    await database.close();
  }
}

/** Columns that differ from push to push. */
const own = /^(repository_id|id|name|.*_at|at|.*_by|actor|key|leased_until)$/;
/** Later migrations fill what they add with what they know of old rows. */
const shown = (row: Record<string, Value>) =>
  Object.fromEntries(Object.entries(row).filter(([column]) => !own.test(column)));

async function rowsOf(database: Database, name: string, digest: string) {
  const where = `repository_id = (select id from repositories where name = '${name}')`;
  const all = async (sql: string) => (await database.all(sql)).map(shown);
  return {
    counts: await all(
      'select image_count, tag_count, event_sequence, stored_bytes, rules, visibility ' +
        `from repositories where name = '${name}'`,
    ).then((rows) => rows.map(({ visibility: _, ...row }) => row)),
    manifests: await all(`select * from manifests where ${where} and digest = '${digest}'`),
    references: await all(
      `select * from manifest_references where ${where} and digest = '${digest}' order by child`,
    ),
    links: await all(
      `select * from blob_links where ${where} and digest in (select child from manifest_references ` +
        `where ${where} and digest = '${digest}') order by digest`,
    ),
    tags: await all(`select * from tags where ${where} and digest = '${digest}'`),
    history: await all(`select * from tag_history where ${where} and digest = '${digest}'`),
    measures: await all(
      'select compression from measures where digest in (select child from manifest_references ' +
        `where ${where} and digest = '${digest}')`,
    ),
  };
}

function same(what: string, filled: object, pushed: object): void {
  const [mine, theirs] = [JSON.stringify(filled), JSON.stringify(pushed)];
  if (mine !== theirs)
    throw new Error(`${what} was filled in as\n${mine}\na push leaves\n${theirs}`);
}

async function pushImage(
  world: World,
  repository: string,
  image: SeedImage,
  tag: string | undefined,
): Promise<void> {
  const name = full(repository);
  const headers = await tokenHeaders(world.url, credentials(world), name);
  const server = { name: 'gantry' as const, url: world.url };
  for (const { bytes, digest } of [image.config, image.layer]) {
    const begun = await expect(202, server, `/v2/${name}/blobs/uploads/`, {
      ...{ method: 'POST', headers },
    });
    const target = new URL(begun.headers.get('location') ?? '', world.url);
    target.searchParams.set('digest', digest);
    const type = { 'content-type': 'application/octet-stream' };
    const body = new Uint8Array(bytes);
    await expect(201, server, target.href, {
      method: 'PUT',
      headers: { ...headers, ...type },
      body,
    });
  }
  await expect(201, server, `/v2/${name}/manifests/${tag ?? image.digest}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: new Uint8Array(image.bytes),
  });
}
