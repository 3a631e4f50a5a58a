/** What an engine saves, sent by curl's form. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { DockerEngine } from './docker-engine.ts';
import { type Image, makeImage } from './images.ts';
import { reference, seeded } from './layout-verbs.ts';
import { assertSameContent } from './registry.ts';
import { must } from './run.ts';
import type { Context, Step } from './suite.ts';

/** `docker save` of an image goes up by form; pulled back, it is the same image to the engine. */
export const savedAndSent: Step<DockerEngine> = async (engine, context) => {
  const image = makeImage({ seed: 'saved' });
  await seeded(context, 'saved', image);
  const from = `${reference(context, 'saved')}:v1`;
  await engine.docker(['pull', from]);
  const archive = join(context.sandbox.fresh('save'), 'image.tar');
  await engine.docker(['save', '-o', archive, from]);
  const id = image.config.descriptor.digest;
  await engine.docker(['image', 'rm', '-f', from]);

  const sent = await send(context, 'sent', archive);
  assert.deepEqual(sent.tags, ['v1'], 'the tag that the archive gives');
  const stored = (await context.raw.image(context.gantry.repository('sent'), 'v1')) as Image;
  assertSameContent(stored, image);
  const to = `${reference(context, 'sent')}:v1`;
  await engine.docker(['pull', to]);
  const inspected = JSON.parse(await engine.docker(['image', 'inspect', to]));
  const ids = [
    inspected[0].Id,
    ...inspected[0].RepoDigests.map((one: string) => one.split('@')[1]),
  ];
  assert.ok(ids.includes(id) || ids.includes(sent.digest), `${ids} has neither ${id}`);
};

async function send(context: Context, repository: string, archive: string) {
  const { bootstrap } = context.gantry;
  const place = `teams/${bootstrap.teamSlug}/projects/${bootstrap.projectSlug}`;
  const { username, password } = context.credentials;
  const args = [
    ...['-sS', '--fail-with-body', '-u', `${username}:${password}`, '-F', `image=@${archive}`],
    `${bootstrap.url}/api/v1/${place}/repositories/${repository}/uploads`,
  ];
  const answer = await must('curl', args, { env: context.sandbox.env });
  return JSON.parse(answer) as { digest: string; tags: string[]; warnings: string[] };
}
