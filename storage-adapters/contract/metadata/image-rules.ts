import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageRules } from '../../../src/ports/image-rules.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { tagChangesKept } from '../../../src/ports/tags.ts';
import { digest, manifest, now, populate, refused, unlimited } from './fixture.ts';

/** Tags that must stay, and what tags pointed at. */
export function imageRulesContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  async function openWith(t: { after(fn: () => unknown): void }, rules: ImageRules) {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    const repositoryId = repository.id;
    const push = (text: string, tags: string[], actor = 'ci', at = now) =>
      db.writer.run('PutManifest', manifest(repositoryId, text, { tags, actor, now: at }));
    const common = { repositoryId, actor: 'dev', now: now + 1 };
    const removeTag = (tag: string) => db.writer.run('DeleteTag', { ...common, tag });
    const remove = (text: string) =>
      db.writer.run('DeleteManifest', { ...common, digest: digest(text) });
    const retag = (tag: string, text: string) =>
      db.writer.run('PutTag', {
        ...{ ...common, tag, digest: digest(text) },
        ...{ overwrite: true, limits: unlimited },
      });
    const set = (changed: ImageRules) =>
      db.writer.run('SetRepositoryRules', { repositoryId, rules: changed });
    await set(rules);
    const led = async (tag: string) => (await db.tags.find(repositoryId, tag))?.digest;
    return { db, repositoryId, projectId, push, removeTag, remove, retag, set, led };
  }

  test('an immutable tag neither moves nor goes, in whatever way', async (t) => {
    const world = await openWith(t, { immutableTags: ['v*', 'stable'] });
    const { db, repositoryId, push, removeTag, remove, retag, led } = world;
    await push('one', ['v1', 'latest']);
    await push('two', ['stable']);
    await push('one', ['v1']);
    assert.deepEqual(await retag('v1', 'one'), { created: false, moved: false });
    await refused(push('three', ['v1']), 'tag-immutable');
    assert.equal(await db.manifests.find(repositoryId, digest('three')), undefined);
    await refused(push('two', ['new', 'v1']), 'tag-immutable');
    assert.equal(await led('new'), undefined);
    const puts = [manifest(repositoryId, 'four'), manifest(repositoryId, 'two', { tags: ['v1'] })];
    await refused(db.writer.run('PutManifests', { puts }), 'tag-immutable');
    assert.equal(await db.manifests.find(repositoryId, digest('four')), undefined);
    await refused(retag('v1', 'two'), 'tag-immutable');
    await refused(removeTag('v1'), 'tag-immutable');
    await refused(remove('one'), 'tag-immutable');
    const whole = { repositoryId, actor: 'dev', now };
    await refused(db.writer.run('DeleteRepository', whole), 'tag-immutable');
    assert.deepEqual([await led('v1'), await led('stable')], [digest('one'), digest('two')]);

    await push('two', ['latest', 'v2']);
    await removeTag('latest');
    await push('free', []);
    await remove('free');
  });

  test('where deletion is off, tags and what has them stay', async (t) => {
    const { db, repositoryId, push, removeTag, remove, set, led } = await openWith(t, {
      tagDeletion: false,
    });
    await push('one', ['a']);
    await push('none', []);
    await refused(removeTag('a'), 'deletion-off');
    await refused(remove('one'), 'deletion-off');
    const whole = { repositoryId, actor: 'dev', now };
    await refused(db.writer.run('DeleteRepository', whole), 'deletion-off');
    await refused(removeTag('absent'), 'manifest-unknown');
    await remove('none');
    await push('two', ['a']);
    assert.equal(await led('a'), digest('two'));
    await set({});
    await removeTag('a');
    await db.writer.run('DeleteRepository', whole);
  });

  test("a repository's own rule takes the place of its project's, rule by rule", async (t) => {
    const { db, repositoryId, projectId, push, removeTag, set } = await openWith(t, {});
    const rules = { immutableTags: ['*'], tagDeletion: false };
    await db.writer.run('SetProjectRules', { projectId, rules });
    await push('one', ['a']);
    await refused(push('two', ['a']), 'tag-immutable');
    await set({ immutableTags: [] });
    assert.deepEqual(await db.imageRules.ofRepository(repositoryId), {
      ...{ own: { immutableTags: [] }, ofProject: rules },
    });
    assert.deepEqual(await db.imageRules.ofProject(projectId), rules);
    await push('two', ['a']);
    await refused(removeTag('a'), 'deletion-off');
    await set({ immutableTags: [], tagDeletion: true });
    await removeTag('a');
    const absent = { projectId: 'prj_none', rules: {} };
    await refused(db.writer.run('SetProjectRules', absent), 'not-found');
    const none = { repositoryId: 'repo_none', rules: {} };
    await refused(db.writer.run('SetRepositoryRules', none), 'name-unknown');
  });

  test('what a tag pointed at is kept, also after its end', async (t) => {
    const { db, repositoryId, push, removeTag, remove, retag } = await openWith(t, {});
    const history = (tag: string, before?: number, limit = 100) =>
      db.tags.history(repositoryId, tag, before, limit);
    await push('one', ['a', 'b'], 'ci', now);
    await push('one', ['a'], 'again', now);
    await push('two', ['a'], 'other', now + 5);
    await retag('a', 'one');
    await removeTag('a');
    await push('two', ['a'], 'ci', now + 9);
    await remove('two');
    const all = await history('a');
    assert.deepEqual(
      all.map((row) => [row.sequence, row.action, row.digest, row.at - now, row.actor]),
      [
        [6, 'deleted', digest('two'), 1, 'dev'],
        [5, 'set', digest('two'), 9, 'ci'],
        [4, 'deleted', digest('one'), 1, 'dev'],
        [3, 'set', digest('one'), 1, 'dev'],
        [2, 'set', digest('two'), 5, 'other'],
        [1, 'set', digest('one'), 0, 'ci'],
      ],
    );
    assert.deepEqual(await history('a', 5, 2), all.slice(2, 4));
    assert.equal((await history('b')).length, 1);
    await refused(retag('a', 'absent'), 'manifest-unknown');
    assert.equal((await history('a')).length, 6);
    await db.writer.run('DeleteRepository', { repositoryId, actor: 'dev', now });
    assert.deepEqual(await history('a'), []);
  });

  test('of each tag, the last changes are kept', async (t) => {
    const { db, repositoryId, push, retag } = await openWith(t, {});
    await push('one', ['a', 'b']);
    await push('two', []);
    for (let at = 0; at < tagChangesKept + 3; at++) await retag('a', at % 2 ? 'one' : 'two');
    const kept = await db.tags.history(repositoryId, 'a', undefined, 1000);
    assert.equal(kept.length, tagChangesKept);
    assert.equal(kept[0]?.sequence, tagChangesKept + 4);
    assert.equal((await db.tags.history(repositoryId, 'b', undefined, 10)).length, 1);
  });
}
