#!/usr/bin/env node
// There is no static import, so that an older Node can print which version is needed.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(`k8s-doctor needs Node 22.19 or newer, and this is ${process.version}; install a newer Node and run it again.`);
  process.exitCode = 3;
} else {
  process.getBuiltinModule('node:module').enableCompileCache();
  try {
    await import('../dist/main.js');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('k8s-doctor is not built yet; run "npm ci" (or "npm run build") in its folder, and try again.');
    process.exitCode = 3;
  }
}
