// The main script of the single executable: modules of the bundle come from its assets. A module that imports is loaded by Node's own
// loader, which the script of an executable can reach only so (Node documentation, "vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER").
const { registerHooks } = require('node:module');
const { getAsset } = require('node:sea');
const vm = require('node:vm');

const root = 'file:///k8s-doctor/';
const inside = (url) => (url?.startsWith(root) ? url.slice(root.length) : undefined);

registerHooks({
  resolve(specifier, context, next) {
    const isOwn = specifier.startsWith(root) || (specifier.startsWith('.') && inside(context.parentURL) !== undefined);
    return isOwn ? { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true } : next(specifier, context);
  },
  load(url, context, next) {
    const path = inside(url);
    return path === undefined ? next(url, context) : { format: 'module', source: getAsset(path, 'utf8'), shortCircuit: true };
  },
});

const start = new vm.Script(`import('${root}dist/main.js')`, { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
start.runInThisContext().catch((error) => {
  console.error(error);
  process.exitCode = 3;
});
