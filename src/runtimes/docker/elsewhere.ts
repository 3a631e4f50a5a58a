/** What is said of an engine on another machine. */
import { type EngineAddress, isLoopback } from './engine-address.ts';

/** What works less or not at all there, and what it needs: sentences. None where it is on this machine. */
export function missingElsewhere(
  address: EngineAddress,
  pullProblem: string | undefined,
): string[] {
  const { name, host, tls, local } = address;
  if (local) return [];
  const plain = `The engine at ${name} is reached without TLS: whoever is on the way reads secrets of functions and commands the engine. Start it with --tlsverify, and set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH.`;
  return [
    `The engine at ${name} counts as on another machine: its containers' addresses have to be routed to this one, and its packet filter has to let this machine in (docs/container-engine.md).`,
    'On an engine elsewhere, a server that listens on 127.0.0.1 alone is not told from none, a command in a sandbox cannot be ended by itself, instances can write to their own token files, and limits of volumes are not kept to, those that images declare included.',
    ...(tls || isLoopback(host ?? '') ? [] : [plain]),
    ...(pullProblem === undefined ? [] : [pullProblem]),
  ];
}

/** Why an engine elsewhere does not find the registry. `pullAddress`: `host:port`; throws before it is known. */
export function whyNotPulled(
  address: EngineAddress,
  pullAddress: () => string,
): string | undefined {
  if (address.local || isLoopback(address.host ?? '')) return undefined;
  let named: string;
  try {
    named = pullAddress();
  } catch {
    return undefined;
  }
  const host = URL.parse(`http://${named}`)?.hostname ?? '';
  if (!isLoopback(host) && !['0.0.0.0', '[::]'].includes(host)) return undefined;
  return `The engine at ${address.name} would look for this registry at ${named} of its own machine: set GANTRY_PULL_ADDRESS to an address of this machine that it reaches, and GANTRY_HOST so that Gantry listens there.`;
}
