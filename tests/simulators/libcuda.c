/* A libcuda.so.1 without a GPU, so that what talks to the driver can be tried anywhere.

   It answers the calls that Walkout makes itself. How it behaves is read from the environment:
   LIBCUDA_INIT    what cuInit returns (0: works)
   LIBCUDA_GPUS    how many GPUs there are (1)
   LIBCUDA_SM      compute capability without a dot (87)
   LIBCUDA_CAPTURE what cuStreamEndCapture returns (0: works)
   It counts what was captured, launched and given back; see the functions at the end. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int setting(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text && *text ? atoi(text) : otherwise;
}

static int capturing, launched, alive;

int cuInit(unsigned flags) { return flags ? 1 : setting("LIBCUDA_INIT", 0); }

int cuGetErrorString(int code, const char **text) {
  switch (code) {
    case 100: *text = "no CUDA-capable device is detected"; return 0;
    case 803: *text = "system has unsupported display driver / cuda driver combination"; return 0;
    case 901: *text = "operation failed due to a previous error during capture"; return 0;
    default: *text = NULL; return 1;
  }
}

int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
int cuDeviceGetCount(int *count) { *count = setting("LIBCUDA_GPUS", 1); return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  (void)device;
  *bytes = (size_t)7620 << 20;
  return 0;
}

int cuDeviceGetName(char *name, int length, int device) {
  (void)device;
  strncpy(name, "Orin", (size_t)length);
  return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  int sm = setting("LIBCUDA_SM", 87);
  switch (attribute) {
    case 75: *value = sm / 10; return 0;
    case 76: *value = sm % 10; return 0;
    case 18: *value = sm == 87; return 0;
    default: return 1;
  }
}

int cuStreamBeginCapture_v2(void *stream, int mode) {
  (void)stream;
  if (mode != 1 || capturing) return 900;
  capturing = 1;
  return 0;
}

int cuStreamEndCapture(void *stream, void **graph) {
  (void)stream;
  if (!capturing) return 900;
  capturing = 0;
  int code = setting("LIBCUDA_CAPTURE", 0);
  *graph = code ? NULL : malloc(1);
  alive += !code;
  return code;
}

int cuGraphInstantiateWithFlags(void **run, void *graph, unsigned long long flags) {
  if (!graph || flags) return 1;
  *run = malloc(1);
  alive++;
  return 0;
}

int cuGraphLaunch(void *run, void *stream) {
  (void)stream;
  if (!run || capturing) return 1;
  launched++;
  return 0;
}

int cuGraphExecDestroy(void *run) { free(run); alive--; return 0; }
int cuGraphDestroy(void *graph) { free(graph); alive--; return 0; }

int walkout_launched(void) { return launched; }
int walkout_alive(void) { return alive; }
int walkout_capturing(void) { return capturing; }
