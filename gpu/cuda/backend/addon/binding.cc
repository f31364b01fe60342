/**
 * The driver interface for Node: the class Device of gpu/cuda/driver.ts, wrapping the one of driver.h. Both addons are
 * this file with different implementations.
 */
#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "driver.h"

namespace grootvl {
namespace {

/** CUDA's limit for a kernel before 12.1. */
constexpr size_t kArgumentBytes = 4096;

/** The memory of a typed array or DataView; null once its buffer has been transferred. */
struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

Bytes bytesOf(const Napi::Value& value) {
  if (value.IsTypedArray()) {
    // Not through its ArrayBuffer, which may be a SharedArrayBuffer.
    void* data = nullptr;
    napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, nullptr, nullptr);
    return {static_cast<uint8_t*>(data), value.As<Napi::TypedArray>().ByteLength()};
  }
  if (value.IsDataView()) {
    const auto view = value.As<Napi::DataView>();
    return {static_cast<uint8_t*>(view.Data()), view.ByteLength()};
  }
  throw Napi::TypeError::New(value.Env(), "expected a typed array or a DataView");
}

/** Waits for the device on a thread of the pool, then settles a promise. */
class Waiting : public Napi::AsyncWorker {
 public:
  explicit Waiting(Napi::Env env) : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 protected:
  Napi::Promise::Deferred deferred_;
};

class WaitingDownload : public Waiting {
 public:
  /** @param device kept alive until the download is done */
  WaitingDownload(Napi::Value target, std::shared_ptr<Device> device, Address from, size_t size)
      : Waiting(target.Env()),
        device_(std::move(device)),
        download_(device_->download(from, size)),
        target_(Napi::Persistent(target.As<Napi::Object>())),
        size_(size) {}

  void Execute() override { download_->wait(); }

  /** Copies here, where no JavaScript runs that could transfer the target's memory. */
  void OnOK() override {
    const Bytes target = bytesOf(target_.Value());
    if (target.size != size_) {
      deferred_.Reject(Napi::Error::New(Env(), "download: the target's memory was given away meanwhile").Value());
      return;
    }
    std::memcpy(target.data, download_->bytes(), size_);
    deferred_.Resolve(Env().Undefined());
  }

 private:
  const std::shared_ptr<Device> device_;
  const std::unique_ptr<Download> download_;
  const Napi::ObjectReference target_;
  const size_t size_;
};

class WaitingTime : public Waiting {
 public:
  WaitingTime(Napi::Env env, std::shared_ptr<Device> device, std::function<double()> elapsed)
      : Waiting(env), device_(std::move(device)), elapsed_(std::move(elapsed)) {}
  void Execute() override { milliseconds_ = elapsed_(); }
  void OnOK() override { deferred_.Resolve(Napi::Number::New(Env(), milliseconds_)); }

 private:
  const std::shared_ptr<Device> device_;
  const std::function<double()> elapsed_;
  double milliseconds_ = 0;
};

class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Device",
                       {
                           InstanceMethod<&DeviceObject::call<&DeviceObject::findKernel>>("findKernel"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::launch>>("launch"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::allocate>>("allocate"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::free>>("free"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::upload>>("upload"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::download>>("download"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::downloadSync>>("downloadSync"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::copy>>("copy"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::fill>>("fill"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::synchronize>>("synchronize"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::recordEvent>>("recordEvent"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::elapsed>>("elapsed"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::multiply>>("multiply"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::freeBytes>>("freeBytes"),
                           InstanceMethod<&DeviceObject::call<&DeviceObject::close>>("close"),
                           InstanceAccessor<&DeviceObject::call<&DeviceObject::hasMatrixLibrary>>("hasMatrixLibrary"),
                       });
  }

  /** @param info an External of the device, which this takes over: only created by `open` */
  explicit DeviceObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsExternal()) {
      throw Napi::TypeError::New(env, "a Device is made by open()");
    }
    device_ = std::move(*info[0].As<Napi::External<std::unique_ptr<Device>>>().Data());
    auto buffer = Napi::ArrayBuffer::New(env, kArgumentBytes);
    arguments_ = static_cast<const uint8_t*>(buffer.Data());
    const DeviceDescription& from = device_->description();
    auto description = Napi::Object::New(env);
    description.Set("kind", from.kind);
    description.Set("name", from.name);
    description.Set("computeCapability", from.computeCapability);
    description.Set("driverVersion", from.driverVersion);
    description.Set("multiprocessors", from.multiprocessors);
    description.Set("sharedBytesPerBlock", static_cast<double>(from.sharedBytesPerBlock));
    description.Set("totalBytes", static_cast<double>(from.totalBytes));
    description.Set("checksAccesses", from.checksAccesses);
    description.Freeze();
    auto self = info.This().As<Napi::Object>();
    self.DefineProperty(Napi::PropertyDescriptor::Value("description", description, napi_enumerable));
    // Held by a read-only property, so that `arguments_` stays valid.
    self.DefineProperty(Napi::PropertyDescriptor::Value("argumentBytes", buffer, napi_enumerable));
  }

 private:
  using Info = Napi::CallbackInfo;

  /** A method callable from JavaScript: failures become JavaScript errors. */
  template <auto method>
  std::invoke_result_t<decltype(method), DeviceObject*, const Info&> call(const Info& info) {
    try {
      if (!device_) throw std::runtime_error("the device is closed");
      return (this->*method)(info);
    } catch (const Napi::Error&) {
      throw;
    } catch (const std::exception& error) {
      auto wrapped = Napi::Error::New(info.Env(), error.what());
      wrapped.Value().Set("code", "DEVICE_FAILED");
      throw wrapped;
    }
  }

  /** Argument `index`: an integer from 0 to `maximum`. */
  static uint64_t whole(const Info& info, size_t index, double maximum) {
    double value = -1;
    napi_get_value_double(info.Env(), info[index], &value);
    if (!(value >= 0 && value <= maximum) || value != std::floor(value)) {
      throw Napi::TypeError::New(info.Env(), "argument " + std::to_string(index + 1) + " is " +
                                                 info[index].ToString().Utf8Value() +
                                                 ", expected a whole number that is not negative");
    }
    return static_cast<uint64_t>(value);
  }
  static uint32_t word(const Info& info, size_t index) {
    return static_cast<uint32_t>(whole(info, index, std::numeric_limits<uint32_t>::max()));
  }
  /** An address or a number of bytes. */
  static uint64_t large(const Info& info, size_t index) { return whole(info, index, 9007199254740991.0); }

  Napi::Value findKernel(const Info& info) {
    return Napi::Number::New(info.Env(), device_->findKernel(info[0].ToString().Utf8Value()));
  }

  void launch(const Info& info) {
    const LaunchShape shape = {
        {word(info, 1), word(info, 2), word(info, 3)}, {word(info, 4), word(info, 5)}, word(info, 6)};
    const uint32_t argumentSize = word(info, 7);
    if (argumentSize > kArgumentBytes) throw std::runtime_error("more than 4096 bytes of arguments");
    device_->launch(word(info, 0), shape, arguments_, argumentSize);
  }

  Napi::Value allocate(const Info& info) {
    // Empty tensors also need an address of their own.
    const Address address = device_->allocate(std::max<size_t>(large(info, 0), 1));
    return Napi::Number::New(info.Env(), static_cast<double>(address));
  }

  void free(const Info& info) { device_->free(large(info, 0)); }

  void upload(const Info& info) {
    const Bytes source = bytesOf(info[1]);
    if (source.size > 0) device_->upload(large(info, 0), source.data, source.size);
  }

  Napi::Value download(const Info& info) {
    const Bytes target = bytesOf(info[1]);
    auto* waiting = new WaitingDownload(info[1], device_, large(info, 0), target.size);
    waiting->Queue();
    return waiting->promise();
  }

  void downloadSync(const Info& info) {
    const Bytes target = bytesOf(info[1]);
    const auto download = device_->download(large(info, 0), target.size);
    device_->synchronize();  // returns sooner than `wait`, which saves processor time
    download->wait();
    if (target.size > 0) std::memcpy(target.data, download->bytes(), target.size);
  }

  void copy(const Info& info) {
    const size_t bytes = large(info, 2);
    if (bytes > 0) device_->copy(large(info, 0), large(info, 1), bytes);
  }

  void fill(const Info& info) {
    // JavaScript's bit operations give signed numbers, so both representations of 32 bits are accepted.
    const uint32_t pattern = info[1].ToNumber().Uint32Value();
    const size_t count = large(info, 2);
    if (count > 0) device_->fill(large(info, 0), pattern, count);
  }

  void synchronize(const Info&) { device_->synchronize(); }

  Napi::Value recordEvent(const Info& info) { return Napi::Number::New(info.Env(), device_->recordEvent()); }

  Napi::Value elapsed(const Info& info) {
    auto* waiting = new WaitingTime(info.Env(), device_, device_->elapsed(word(info, 0), word(info, 1)));
    waiting->Queue();
    return waiting->promise();
  }

  Napi::Value hasMatrixLibrary(const Info& info) { return Napi::Boolean::New(info.Env(), device_->hasMatrixLibrary()); }

  void multiply(const Info& info) {
    const auto from = info[0].As<Napi::Object>();
    const auto number = [&](const char* name) { return from.Get(name).ToNumber().Int64Value(); };
    const auto flag = [&](const char* name) { return from.Get(name).ToBoolean().Value(); };
    MatrixProduct product;
    product.m = static_cast<int>(number("m"));
    product.n = static_cast<int>(number("n"));
    product.k = static_cast<int>(number("k"));
    product.transposeA = flag("transposeA");
    product.transposeB = flag("transposeB");
    product.a = static_cast<Address>(number("a"));
    product.b = static_cast<Address>(number("b"));
    product.c = static_cast<Address>(number("c"));
    product.batches = static_cast<int>(number("batches"));
    product.strideA = number("strideA");
    product.strideB = number("strideB");
    product.strideC = number("strideC");
    product.allowTf32 = flag("allowTf32");
    device_->multiply(product);
  }

  Napi::Value freeBytes(const Info& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(device_->freeBytes()));
  }

  /** Operations still waiting for the device keep it alive until they are done. */
  void close(const Info&) { device_.reset(); }

  std::shared_ptr<Device> device_;
  const uint8_t* arguments_ = nullptr;
};

Napi::Value open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const int ordinal = info.Length() > 0 ? info[0].ToNumber().Int32Value() : 0;
    std::unique_ptr<Device> device = openDevice(ordinal);
    const auto* constructor = env.GetInstanceData<Napi::FunctionReference>();
    return constructor->New({Napi::External<std::unique_ptr<Device>>::New(env, &device)});
  } catch (const Napi::Error&) {
    throw;
  } catch (const OpenError& error) {
    auto wrapped = Napi::Error::New(env, error.what());
    wrapped.Value().Set("code", error.code);
    throw wrapped;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(DeviceObject::define(env))));
  exports.Set("open", Napi::Function::New(env, open, "open"));
  return exports;
}

}  // namespace
}  // namespace grootvl

static Napi::Object initialize(Napi::Env env, Napi::Object exports) { return grootvl::initialize(env, exports); }

NODE_API_MODULE(grootvl_cuda, initialize)
