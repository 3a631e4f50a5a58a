/**
 * What another replica is asked to answer, where that one runs functions, by `operationId`. Whoever answers finds out
 * by itself who asks and what they may do.
 */

/** Nothing but the engine does it. */
const needsEngine: ReadonlySet<string> = new Set([
  'invokeService',
  'createSandbox',
  'extendSandbox',
  'stopSandbox',
  'exposeSandboxPort',
  'execInSandbox',
  'readSandboxFiles',
  'writeSandboxFiles',
]);

/**
 * Where instances run it is known better, or takes effect at once. Where nobody runs any it is answered all the same,
 * of what is written down.
 */
const better: ReadonlySet<string> = new Set([
  'getFunctionStatus',
  'listInstances',
  'streamFunctionLines',
  'getFunctionMetrics',
  'listSandboxes',
  'getSandbox',
  'createVolume',
  'getVolume',
  'updateVolume',
  'deleteVolume',
  'attachVolume',
  'detachVolume',
  'putSecret',
  'deleteSecret',
  'putVariable',
  'deleteVariable',
  'createService',
  'updateService',
  'deleteService',
  'pauseService',
  'resumeService',
  'endEnvironment',
  'rollbackEnvironment',
  'createDeployment',
  'deleteDeployment',
  'promoteDeployment',
  'getDeploymentRetention',
  'updateProject',
  'updateTeam',
  'putDomain',
  'verifyDomain',
  'deleteDomain',
]);

/** Undefined: any replica answers it. */
export function atOwner(operationId: string): 'needed' | 'better' | undefined {
  if (needsEngine.has(operationId)) return 'needed';
  return better.has(operationId) ? 'better' : undefined;
}

/** For the test that these names are those of routes. */
export const atOwnerIds: ReadonlySet<string> = new Set([...needsEngine, ...better]);
