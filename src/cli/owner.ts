import { hostname, userInfo } from 'node:os';

/** Who runs this, for a person who finds a debug pod. In a container the user may have a number only (OpenShift gives each namespace its own). */
export function owner(): string {
  const { getuid } = process;
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `${getuid ? `uid ${getuid()}` : 'somebody'}@${hostname()}`;
  }
}
