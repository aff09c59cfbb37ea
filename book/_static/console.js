// The theme and one of its extensions report their start to the console on every page.
// It is kept for what is wrong.
{
  const log = console.log;
  console.log = (first, ...rest) => {
    if (!/^\[(PST|togglebutton)\]/.test(first)) log.call(console, first, ...rest);
  };
}
