import { plansWith } from '../../../../config/plans.ts';
import { digestOf } from '../../../../oci/digest.ts';
import { refuse } from '../../../../oci/errors.ts';
import { ociConfig, ociManifest } from '../../../../oci/media-types.ts';
import { newId } from '../../../../projects/ids.ts';
import type { ActivationTarget } from '../../../../scheduler/activation.ts';
import { host, prepared } from '../../../../scheduler/deployments/deploy-test-kit.ts';
import { Deployer } from '../../../../scheduler/deployments/deployer.ts';
import { DeploymentWatch } from '../../../../scheduler/deployments/deployment-watch.ts';
import { startDns } from '../../../../scheduler/domains/dns-test-kit.ts';
import { DomainKeeper } from '../../../../scheduler/domains/domain-keeper.ts';
import { createTxtResolver } from '../../../../scheduler/domains/domain-proof.ts';
import { functionUrl } from '../../../../scheduler/host-labels.ts';
import { machineTypes } from '../../../../scheduler/machine-types.ts';
import { planReservation } from '../../../../scheduler/reserve.ts';
import { systemTimers } from '../../../../scheduler/timers.ts';
import type { Ends } from '../../../http-test-kit.ts';
import { openApi } from '../../api-test-kit.ts';
import type { FunctionWarning } from '../../function-services.ts';

export const base = '/teams/acme/projects/shop';

/** The API with a deployer over an engine that runs everything, or does what `probe` says. */
export async function openFunctions(t: Ends) {
  const probe: { ensure: (target: ActivationTarget) => Promise<void> } = {
    ensure: async () => {},
  };
  const dns = await startDns(t);
  const warnings: FunctionWarning[] = [];
  /** What the pool was told. */
  const told: object[] = [];
  const kit = await openApi(t, ({ metadata, clock }) => ({
    deploymentUrl: (label) =>
      functionUrl(label, { server: 'http://gantry.test', address: 'fn.test' }),
    runtime: {
      volumes: { removed: () => {} } as never,
      checkEndpoint: (url: string) => {
        if (url.includes('169.254')) throw refuse('invalid', 'That address is private.');
      },
    } as never,
    functions: {
      watch: new DeploymentWatch({ ...metadata, onCommit: metadata.onCommit }),
      instances: () => [],
      status: async () => ({
        ...{ enabled: true, engine: host.version, platforms: host.platforms },
        ...{ machineTypes: ['XS'], networkGuard: true, missing: [] },
      }),
      warnings: async () => warnings,
      domain: 'fn.test',
      domains: new DomainKeeper({
        ...{ ...metadata, clock, timers: systemTimers, trusted: ['trusted.example'] },
        resolver: createTxtResolver([dns.address]),
        verified: () => void told.push({ verified: true }),
        failed: () => {},
      }),
      // All that were made until now: time stands still here.
      pruning: { keep: 2, keepForMs: -1 },
      ownNames: () => ['registry.example.net'],
      changed: ({ replaced, deleted }) => void told.push({ replaced, deleted }),
      environmentChanged: () => {},
      paused: (_project, service, paused) => void told.push({ service, paused }),
    },
  }));
  const { metadata, clock } = kit.app.world;
  const deployer = new Deployer({
    ...{ ...metadata, clock, plans: plansWith(), machines: machineTypes([]), measuring: false },
    onCommit: (listener) => metadata.onCommit(listener),
    log: kit.app.services.logger,
    capabilities: async () => host,
    prepare: async () => prepared(),
    prober: { ensure: (target) => probe.ensure(target) },
    changed: () => {},
    address: () => 'fn.test',
    pause: async () => new Promise((resolve) => setImmediate(resolve)),
  });
  t.after(() => deployer.close());
  deployer.start();

  /** Pushes an image called `text`; ids of what it deploys. */
  async function push(
    repository: string,
    text: string,
    tags: readonly string[] = ['latest'],
  ): Promise<string[]> {
    const { id: repositoryId } = await kit.app.world.ensure(repository);
    const layer = {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      ...{ digest: digestOf(Buffer.from(text)), size: 1 },
    };
    const config = { mediaType: ociConfig, digest: digestOf(Buffer.from('c')), size: 1 };
    const content = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] }),
    );
    const project = (await metadata.projects.findBySlugs('acme', 'shop'))!;
    const facts = { project, repository, tags, runnable: true, mayDeploy: true, enabled: true };
    const { deployments } = await metadata.writer.run('PutManifest', {
      ...{ repositoryId, digest: digestOf(content), mediaType: ociManifest, content, tags },
      ...{ artifactType: undefined, annotations: undefined, subject: undefined, blobs: [] },
      ...{ optionalBlobs: [], manifests: [], layers: [], imageSize: 1, platform: 'linux/amd64' },
      ...{ overwrite: true, actor: 'ci', limits: { plan: 'self-hosted' }, now: clock.now() },
      deploy: planReservation({ ...facts, newId }),
    });
    return deployments.map(({ deploymentId }) => deploymentId);
  }

  /** As `push`, once all is deployed. */
  async function deploy(...args: Parameters<typeof push>): Promise<string[]> {
    const ids = await push(...args);
    await deployer.idle();
    return ids;
  }
  return { ...kit, dns, warnings, told, push, deploy, deployer, probe, metadata };
}
