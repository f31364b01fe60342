/** What `require('tfjs-grootvl')` gets in a Node that cannot require ES modules. */
throw new Error(
  `tfjs-grootvl is an ES module: require() of it needs Node 20.19, 22.12 or later (this is ${process.version}); ` +
    "use `await import('tfjs-grootvl')`",
);
