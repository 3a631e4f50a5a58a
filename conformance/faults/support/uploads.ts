import assert from 'node:assert/strict';
import type { Answer } from '../../spec/client.ts';
import { type Content, digestOf } from '../../spec/content.ts';
import { eachOf, octets } from '../../spec/push.ts';
import { type Asker, locationOf, withQuery } from './asking.ts';
import type { Random } from './random.ts';
import type { KnownRepository, Session, World } from './world.ts';

const ways = { post: 3, put: 3, patch: 3, chunks: 2 } as const;

/** Pushes a blob whole, in one of the ways that clients have. */
export async function pushBlob(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  blob: Content,
  random: Random,
): Promise<void> {
  const way = random.weighted(ways);
  if (way === 'post') {
    const target = `${uploadsOf(repository)}?digest=${blob.digest}`;
    await asker.expect(201, 'POST', target, { headers: octets, body: blob.bytes });
    world.hasBlob(repository, blob);
    return;
  }
  const session = await begin(asker, world, repository, blob);
  if (way !== 'put') await sendUpTo(asker, session, blob.bytes.length, way === 'chunks', random);
  await finish(asker, world, session);
}

/** Begins an upload and sends a part of it, which stays. */
export async function leaveUnfinished(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  blob: Content,
  random: Random,
): Promise<void> {
  const session = await begin(asker, world, repository, blob);
  const end = random.whole(0, blob.bytes.length - 1);
  if (end > 1) await sendUpTo(asker, session, end, random.chance(0.5), random);
}

/** What became of the upload over a crash: goes on with it, starts it again, or cancels it. */
export async function resume(
  asker: Asker,
  world: World,
  session: Session,
  expiryMs: number,
  random: Random,
): Promise<void> {
  const { repository, blob } = session;
  const status = await asker.expect([204, 404], 'GET', session.location);
  const expired = Date.now() - session.touched >= expiryMs;
  if (status.status === 404) {
    const how = `an upload of which ${session.acknowledged} bytes were acknowledged is gone`;
    assert.ok(expired || session.unanswered === 'finish' || session.unanswered === 'cancel', how);
    world.sessions.delete(session);
    if (expired || session.unanswered === 'cancel') return;
    await expectBlob(asker, repository, blob, 'the upload has ended, so it was finished');
    world.hasBlob(repository, blob);
    return;
  }
  const offset = offsetOf(status);
  assert.ok(
    offset >= session.acknowledged && offset <= blob.bytes.length,
    `${status.what}: stands at ${offset}, ${session.acknowledged} bytes of ${blob.bytes.length} were acknowledged`,
  );
  session.location = locationOf(status);
  session.acknowledged = offset;
  session.unanswered = undefined;
  // Too near to its end to be sure that it lasts until the next request.
  if (Date.now() - session.touched > expiryMs / 2) return;
  const next = random.weighted({ goOn: 6, again: 2, cancel: 1, leave: 2 });
  if (next === 'leave') return;
  if (next === 'again') return pushBlob(asker, world, repository, blob, random);
  if (next === 'cancel') {
    session.unanswered = 'cancel';
    await asker.expect(204, 'DELETE', session.location);
    await asker.expect(404, 'GET', session.location);
    world.sessions.delete(session);
    return;
  }
  if (random.chance(0.5)) {
    await sendUpTo(asker, session, blob.bytes.length, random.chance(0.5), random);
  }
  await finish(asker, world, session);
  await expectBlob(asker, repository, blob, 'an upload went on after a crash');
}

/** The blob is there, whole, with its own bytes. */
export async function expectBlob(
  asker: Asker,
  repository: KnownRepository,
  blob: { readonly digest: string; readonly size?: number },
  why: string,
): Promise<void> {
  const got = await asker.ask('GET', `/v2/${repository.name}/blobs/${blob.digest}`);
  assert.equal(got.status, 200, `${why}: ${got.what}: ${got.status} ${got.text().slice(0, 300)}`);
  if (blob.size !== undefined) assert.equal(got.body.length, blob.size, `${why}: ${got.what}`);
  assert.equal(digestOf(got.body), blob.digest, `${why}: ${got.what}: other bytes`);
}

export function uploadsOf(repository: KnownRepository): string {
  return `/v2/${repository.name}/blobs/uploads/`;
}

async function begin(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  blob: Content,
): Promise<Session> {
  const touched = Date.now();
  const started = await asker.expect(202, 'POST', uploadsOf(repository));
  const session: Session = {
    repository,
    blob,
    location: locationOf(started),
    acknowledged: 0,
    unanswered: undefined,
    touched,
  };
  world.sessions.add(session);
  return session;
}

/** By PATCH: in one request of unknown length, or in chunks that say where they belong. */
async function sendUpTo(
  asker: Asker,
  session: Session,
  end: number,
  chunked: boolean,
  random: Random,
): Promise<void> {
  const { bytes } = session.blob;
  while (session.acknowledged < end) {
    const start = session.acknowledged;
    const stop = chunked ? random.whole(Math.min(start + 2, end), end) : end;
    const part = bytes.subarray(start, stop);
    session.unanswered = 'chunk';
    const asked = Date.now();
    const sent = await asker.expect(202, 'PATCH', session.location, {
      headers: chunked ? { ...octets, 'content-range': `${start}-${stop - 1}` } : octets,
      body: chunked ? part : eachOf(inPieces(part)),
    });
    session.unanswered = undefined;
    assert.equal(offsetOf(sent), stop, `${sent.what}: offset`);
    session.acknowledged = stop;
    session.location = locationOf(sent);
    session.touched = asked;
  }
}

async function finish(asker: Asker, world: World, session: Session): Promise<void> {
  const { repository, blob } = session;
  session.unanswered = 'finish';
  const rest = blob.bytes.subarray(session.acknowledged);
  const target = withQuery(session.location, { digest: blob.digest });
  await asker.expect(201, 'PUT', target, {
    headers: octets,
    ...(rest.length > 0 && { body: rest }),
  });
  world.sessions.delete(session);
  world.hasBlob(repository, blob);
}

/** Bytes that the upload has, from the Range header ("0-0" says none, since no chunk here is one byte long). */
function offsetOf(answer: Answer): number {
  const match = /^0-(\d+)$/.exec(answer.header('range') ?? '');
  assert.ok(match, `${answer.what}: Range is ${answer.header('range')}`);
  const last = Number(match[1]);
  return last === 0 ? 0 : last + 1;
}

function inPieces(bytes: Buffer): Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / 5));
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
