/** `docker push`, and it answers: on both engines, with no step between. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { docker29, releases } from './support/engine.ts';
import { buildContext, functionImage, functionIndex, loadImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';

interface Echo {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly workingDir: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

const dockerfile = ['FROM scratch', 'COPY server /server', 'ENTRYPOINT ["/server"]'];

/** `docker build` and `docker push`, as users do; the image's reference in the registry. */
async function buildAndPush({ engine, gantry, sandbox }: World, service: string, tag: string) {
  const name = `${gantry.registry}/${gantry.repository(service)}:${tag}`;
  const context = buildContext(sandbox, [...dockerfile, `ENV SERVER_VERSION=${service}-${tag}`]);
  await gantry.logIn(engine);
  const args = engine.release.buildx ? ['buildx', 'build', '--load'] : ['build'];
  await engine.docker([...args, '-t', name, context]);
  await engine.docker(['push', name]);
}

async function echoOf({ gantry }: World, host: string): Promise<Echo> {
  const { status, body } = await gantry.ask(host, '/echo');
  assert.equal(status, 200, body);
  return JSON.parse(body) as Echo;
}

functionsSuite({
  name: 'a pushed image answers HTTP',
  releases,
  tests: {
    'docker push of a server built FROM scratch answers with no other step': async (world) => {
      const { gantry, functions } = world;
      await buildAndPush(world, 'tiny', 'latest');
      const answer = await gantry.ask(functions.serviceHost('tiny'), '/');
      assert.deepEqual([answer.status, answer.body], [200, 'hello from tiny-latest\n']);
    },

    "the manifest's PUT answers with a URL that serves that very image": async (world) => {
      const { gantry, functions } = world;
      const image = functionImage({ version: 'by url' });
      const url = await gantry.push(gantry.repository('by-url'), 'latest', image);
      assert.ok(url);
      const answer = await gantry.ask(url, '/');
      assert.deepEqual([answer.status, answer.body], [200, 'hello from by url\n']);
      await functions.deploy('by-url', 'latest', functionImage({ version: 'next' }));
      assert.equal((await gantry.ask(url, '/')).body, 'hello from by url\n', 'it is immutable');
    },

    'of a multi-arch index, the image for this machine runs': async ({ gantry, functions }) => {
      const index = functionIndex({ version: 'of an index' });
      const { serviceHost } = await functions.deploy('multi', 'latest', index);
      assert.equal((await gantry.ask(serviceHost, '/')).body, 'hello from of an index\n');
    },

    'an image for another platform fails at deploy, and says so': async ({ functions }) => {
      const image = functionImage({
        version: 'for arm',
        platform: { os: 'linux', architecture: 'arm64' },
      });
      const { state, reason } = await functions.push('arm', 'latest', image);
      assert.equal(state, 'failed');
      assert.match(reason!.message, /linux\/arm64/);
      assert.match(reason!.hint, /--platform linux\/amd64/);
      const index = functionIndex({ version: 'for others' }, ['arm64', 's390x']);
      const other = await functions.push('arm', 'latest', index);
      assert.equal(other.state, 'failed');
      for (const one of [/linux\/arm64/, /linux\/s390x/]) assert.match(other.reason!.message, one);
    },

    "the image's USER and working directory are kept, root where it names none": async (world) => {
      const { functions } = world;
      const image = functionImage({ version: 'user', user: '1000:1000', workingDir: '/tmp' });
      const user = await functions.deploy('user', 'latest', image);
      const echo = await echoOf(world, user.serviceHost);
      assert.deepEqual([echo.uid, echo.gid, echo.workingDir], [1000, 1000, '/tmp']);
      const root = await functions.deploy('root', 'latest', functionImage({ version: 'root' }));
      assert.equal((await echoOf(world, root.serviceHost)).uid, 0);
    },

    "a service's args take the place of the image's command, and its env joins": async (world) => {
      const { functions } = world;
      await functions.service('args', {
        args: ['-version', 'by args'],
        env: { GREETING: 'hello', SERVER_SAY: 'said' },
        port: 8123,
      });
      const image = functionImage({ version: 'by image', args: ['-start-delay', '1h'] });
      const { serviceHost } = await functions.deploy('args', 'latest', image);
      const echo = await echoOf(world, serviceHost);
      assert.deepEqual(echo.args, ['/server', '-version', 'by args']);
      assert.ok(echo.env.includes('GREETING=hello'));
      assert.ok(echo.env.includes('PORT=8123'));
    },

    'layers of zstd run where the engine reads them, and are refused at deploy elsewhere': async (
      world,
    ) => {
      const { gantry, functions, engine } = world;
      const image = functionImage({ version: 'zstd', compression: 'zstd' });
      const deployed = await functions.push('zstd', 'latest', image);
      if (engine.release === docker29) {
        assert.equal(deployed.state, 'ready', JSON.stringify(deployed.reason));
        assert.equal((await gantry.ask(deployed.serviceHost, '/')).body, 'hello from zstd\n');
      } else {
        assert.equal(deployed.state, 'failed');
        assert.match(deployed.reason!.message, /zstd/);
      }
    },

    'docker push with a login of the engine, then again: the new image answers': async (world) => {
      const { engine, gantry, functions, sandbox } = world;
      await gantry.logIn(engine);
      const name = `${gantry.registry}/${gantry.repository('again')}:latest`;
      for (const version of ['one', 'two']) {
        await loadImage(engine, sandbox, name, functionImage({ version }));
        await engine.docker(['push', name]);
        const deployments = await functions.deployments();
        await functions.settled(deployments[0]!.url);
        const answer = await gantry.ask(functions.serviceHost('again'), '/');
        assert.equal(answer.body, `hello from ${version}\n`);
      }
    },

    'the first line of a Dockerfile may be anything: files, WORKDIR, USER': async (world) => {
      const { engine, gantry, functions, sandbox } = world;
      const context = buildContext(sandbox, [
        ...['FROM scratch', 'COPY server /bin/server', 'COPY site /site', 'WORKDIR /site'],
        ...['USER 1234', 'EXPOSE 80', 'CMD ["/bin/server", "-version", "by CMD"]'],
      ]);
      mkdirSync(join(context, 'site'));
      writeFileSync(join(context, 'site', 'page'), 'a page\n');
      const name = `${gantry.registry}/${gantry.repository('files')}:latest`;
      const args = engine.release.buildx ? ['buildx', 'build', '--load'] : ['build'];
      await engine.docker([...args, '-t', name, context]);
      await gantry.logIn(engine);
      await engine.docker(['push', name]);
      const deployments = await functions.deployments();
      await functions.settled(deployments[0]!.url);
      const host = functions.serviceHost('files');
      assert.equal((await gantry.ask(host, '/')).body, 'hello from by CMD\n');
      assert.equal((await gantry.ask(host, '/file?path=page')).body, 'a page\n');
      assert.equal((await echoOf(world, host)).uid, 1234);
    },
  },
});
